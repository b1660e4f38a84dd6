import type { ConnectionOptions } from "../options.ts"
import { bytesMax, type Check, durationMs, either, type Fields, fields, listOf, optional, text, timeoutMs, type Wrong, yesOrNo } from "./check.ts"
import { sasl, tls } from "./security.ts"

const leaders = either(text(65_536), listOf(text(1024), "addresses", 1))
const leader: Check = (value, field) => {
  const wrong = leaders(value, field)
  return wrong === undefined ? undefined : { ...wrong, allowed: "a text HOST:PORT, several with commas between them, or a list of such texts" }
}
/** The options that producer, consumer and admin have in common. */
export const connectionFields: Fields<ConnectionOptions> = {
  leader,
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
