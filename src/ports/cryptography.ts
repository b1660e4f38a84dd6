import { Context, type Effect } from "effect"

export type HashName = "SHA-256" | "SHA-512"

/** The primitives of authentication, by the runtime's own library. */
interface CryptographyService {
  /** Bytes that no other party can predict, 65,536 at most. */
  readonly randomBytes: (size: number) => Uint8Array
  readonly digest: (hash: HashName, bytes: Uint8Array) => Uint8Array
  /** RFC 2104. */
  readonly hmac: (hash: HashName, key: Uint8Array, bytes: Uint8Array) => Uint8Array
  /** RFC 8018 with HMAC; the length of the result is that of the hash. Runs beside the thread. */
  readonly pbkdf2: (hash: HashName, password: Uint8Array, salt: Uint8Array, iterations: number) => Effect.Effect<Uint8Array>
  /** Compares in a time that does not depend on where the bytes differ. */
  readonly equal: (one: Uint8Array, other: Uint8Array) => boolean
}
const CryptographyTag: Context.TagClass<Cryptography, "comanche-franz/Cryptography", CryptographyService> = Context.Tag("comanche-franz/Cryptography")<
  Cryptography,
  CryptographyService
>()
/** See `CryptographyService`. */
export class Cryptography extends CryptographyTag {}
