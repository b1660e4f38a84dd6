import type { ConnectionOptions } from "../options.ts"
import { bytesMax, durationMs, either, type Fields, fields, listOf, optional, text, timeoutMs, type Wrong, yesOrNo } from "./check.ts"
import { sasl, tls } from "./security.ts"

const address = text(1024)
/** The options that producer, consumer and admin have in common. */
export const connectionFields: Fields<ConnectionOptions> = {
  leader: either(text(65_536), listOf(address, "addresses", 1)),
  clientId: optional(text(10_000)),
  tls: optional(tls),
  sasl: optional(sasl),
  metrics: optional(yesOrNo),
  connectTimeoutMs: optional(timeoutMs),
  requestTimeoutMs: optional(timeoutMs),
  retryTimeoutMs: optional(durationMs),
  unknownTopicTimeoutMs: optional(durationMs),
  metadataMaxAgeMs: optional(durationMs),
  responseBytesMax: optional(bytesMax),
  closeTimeoutMs: optional(durationMs)
}
const connection = fields(connectionFields)
export const wrongConnection = (options: unknown): Wrong | undefined => connection(options, "options")
