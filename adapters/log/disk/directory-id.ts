import { Effect, Encoding, Random } from "effect"

const form = /^[A-Za-z0-9_-]{22}$/

export const isDirectoryId = (text: string): boolean => form.test(text)

/**
 * A random UUID (version 4) in Kafka's text, as Kafka's `directory.id` (KIP-858): 22 characters of base64url. It does not begin with '-', and is none of those that
 * Kafka reserves for directories that are unknown, lost or on the move: they have version 0.
 */
export const drawDirectoryId: Effect.Effect<string> = Effect.gen(function* () {
  const bytes = new Uint8Array(16)
  for (let at = 0; at < bytes.length; at++) bytes[at] = yield* Random.nextIntBetween(0, 256)
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  return Encoding.encodeBase64Url(bytes)
}).pipe(Effect.repeat({ while: (text) => text.startsWith("-") }))
