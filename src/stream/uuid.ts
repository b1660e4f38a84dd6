import { Effect, Random } from "effect"
import type { TopicId } from "../../domain/kernel/id.ts"

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/**
 * A random UUID (version 4) in Kafka's text, 22 characters of base64url. Never one that begins with '-', which a command line would take for an option,
 * and never one of the few that Kafka keeps for itself: they have version 0.
 */
export const drawUuid: Effect.Effect<TopicId> = Effect.gen(function* () {
  const bytes: Array<number> = []
  for (let n = 0; n < 16; n++) bytes.push(yield* Random.nextIntBetween(0, 256))
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  let text = ""
  for (let bit = 0; bit < 132; bit += 6) {
    const at = bit >> 3
    const pair = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
    text += alphabet[(pair >> (10 - (bit & 7))) & 63]
  }
  return text as TopicId
}).pipe(Effect.repeat({ while: (text) => text.startsWith("-") }))
