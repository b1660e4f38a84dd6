import { Effect, Encoding, Random } from "effect"
import type { TopicId } from "../../domain/kernel/id.ts"

/**
 * A random UUID (version 4) in Kafka's text, 22 characters of base64url. It never begins with '-', since a command line
 * would take it for an option, and is none of those that Kafka reserves: they have version 0.
 */
export const drawUuid: Effect.Effect<TopicId> = Effect.gen(function* () {
  const bytes = new Uint8Array(16)
  for (let at = 0; at < bytes.length; at++) bytes[at] = yield* Random.nextIntBetween(0, 256)
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  return Encoding.encodeBase64Url(bytes) as TopicId
}).pipe(Effect.repeat({ while: (text) => text.startsWith("-") }))
