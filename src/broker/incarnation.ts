import { Effect, Random } from "effect"
import { uuidText } from "../protocol/codec/uuid.ts"

/** A random UUID in Kafka's text that tells this process from every other that runs under the same node id. */
export const drawIncarnationId: Effect.Effect<string> = Effect.gen(function* () {
  const bytes = new Uint8Array(16)
  for (let at = 0; at < bytes.length; at++) bytes[at] = yield* Random.nextIntBetween(0, 256)
  // Version 4, variant 1: Kafka keeps the UUIDs of version 0 for itself.
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  return uuidText(bytes, 0)
})
