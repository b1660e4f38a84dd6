import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto"
import { Effect, Layer } from "effect"
import { Cryptography, type HashName } from "../../src/ports/cryptography.ts"

const names: Readonly<Record<HashName, string>> = { "SHA-256": "sha256", "SHA-512": "sha512" }
const sizes: Readonly<Record<HashName, number>> = { "SHA-256": 32, "SHA-512": 64 }

/** node:crypto, which Bun and Deno have too. */
export const layer: Layer.Layer<Cryptography> = Layer.succeed(Cryptography, {
  randomBytes: (size) => new Uint8Array(randomBytes(size)),
  digest: (hash, bytes) => new Uint8Array(createHash(names[hash]).update(bytes).digest()),
  hmac: (hash, key, bytes) => new Uint8Array(createHmac(names[hash], key).update(bytes).digest()),
  pbkdf2: (hash, password, salt, iterations) =>
    Effect.async((resume) => {
      pbkdf2(password, salt, iterations, sizes[hash], names[hash], (fault, key) =>
        resume(fault === null ? Effect.succeed(new Uint8Array(key)) : Effect.die(fault))
      )
    }),
  equal: (one, other) => one.length === other.length && timingSafeEqual(one, other)
})
