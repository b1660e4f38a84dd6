import process from "node:process"
import { Effect, Layer } from "effect"
import { Cryptography, type HashName } from "../../src/ports/cryptography.ts"

type Crypto = typeof import("node:crypto")
let loaded: Crypto | undefined
/** node:crypto brings streams, 1.2 MiB: a process that authenticates no connection does not load it. */
const library = (): Crypto => (loaded ??= process.getBuiltinModule("node:crypto"))

const names: Readonly<Record<HashName, string>> = { "SHA-256": "sha256", "SHA-512": "sha512" }
const sizes: Readonly<Record<HashName, number>> = { "SHA-256": 32, "SHA-512": 64 }

/** node:crypto, which Bun and Deno have too. */
export const layer: Layer.Layer<Cryptography> = Layer.succeed(Cryptography, {
  randomBytes: (size) => crypto.getRandomValues(new Uint8Array(size)),
  digest: (hash, bytes) => new Uint8Array(library().createHash(names[hash]).update(bytes).digest()),
  hmac: (hash, key, bytes) => new Uint8Array(library().createHmac(names[hash], key).update(bytes).digest()),
  pbkdf2: (hash, password, salt, iterations) =>
    Effect.async((resume) => {
      library().pbkdf2(password, salt, iterations, sizes[hash], names[hash], (fault, key) =>
        resume(fault === null ? Effect.succeed(new Uint8Array(key)) : Effect.die(fault))
      )
    }),
  equal: (one, other) => one.length === other.length && library().timingSafeEqual(one, other)
})
