import { Effect, Either, Encoding } from "effect"
import type { Cryptography, HashName } from "../../ports/cryptography.ts"

/** RFC 7677 demands 4,096 iterations at least; fewer would let a false node guess the password from the proof. Exported for tests. */
export const iterationsMin = 4096
/** A node that asks for more would hold a thread of the client for seconds at each connection. Exported for tests. */
export const iterationsMax = 1_000_000
/** Random bytes of the client's nonce. */
const nonceBytes = 24

const utf8 = new TextEncoder()
const ascii = new TextDecoder()
const escapedName = (name: string): string => name.replaceAll("=", "=3D").replaceAll(",", "=2C")

/** The attributes of a message, `r=…,s=…,i=…`, in order. */
const attributes = (message: string): ReadonlyMap<string, string> => new Map(message.split(",").map((part) => [part.slice(0, 1), part.slice(2)]))

interface ServerFirst {
  readonly nonce: string
  readonly salt: Uint8Array
  readonly iterations: number
}

/** Reads the node's first message. Left: why it cannot be used. */
const serverFirst = (message: string, clientNonce: string): Either.Either<ServerFirst, string> => {
  const found = attributes(message)
  const failed = found.get("e")
  if (failed !== undefined) return Either.left(`the node reports: ${failed}`)
  if (found.has("m")) return Either.left("the node demands an extension that this client does not know")
  const nonce = found.get("r") ?? ""
  if (!nonce.startsWith(clientNonce) || nonce.length <= clientNonce.length) return Either.left("the node's nonce does not continue the client's")
  const salt = Encoding.decodeBase64(found.get("s") ?? "")
  if (Either.isLeft(salt) || salt.right.length === 0) return Either.left("the node's salt cannot be read")
  const count = found.get("i") ?? ""
  const iterations = /^[1-9]\d{0,8}$/.test(count) ? Number(count) : 0
  if (iterations < iterationsMin || iterations > iterationsMax)
    return Either.left(`the node asks for ${count.slice(0, 20)} iterations; ${iterationsMin} to ${iterationsMax} are accepted`)
  return Either.right({ nonce, salt: salt.right, iterations })
}

const xor = (one: Uint8Array, other: Uint8Array): Uint8Array => one.map((byte, at) => byte ^ (other[at] ?? 0))

/** One authentication by SCRAM (RFC 5802), over any exchange of messages. Its errors are reasons. */
interface ScramExchange {
  /** Sends the client's message, and returns the node's. */
  readonly exchange: (message: Uint8Array) => Effect.Effect<Uint8Array, string>
  readonly username: string
  readonly password: string
  readonly hash: HashName
  readonly crypto: Cryptography["Type"]
  /** The client's nonce. Default: random. */
  readonly nonce?: string
}

/** Authenticates, and verifies that the node knows the password too. */
export const scram = ({ crypto, exchange, hash, nonce, password, username }: ScramExchange): Effect.Effect<void, string> =>
  Effect.gen(function* () {
    const clientNonce = nonce ?? Encoding.encodeBase64(crypto.randomBytes(nonceBytes))
    const clientFirstBare = `n=${escapedName(username)},r=${clientNonce}`
    const first = ascii.decode(yield* exchange(utf8.encode(`n,,${clientFirstBare}`)))
    const server = yield* serverFirst(first, clientNonce)
    const salted = yield* crypto.pbkdf2(hash, utf8.encode(password), server.salt, server.iterations)
    const clientKey = crypto.hmac(hash, salted, utf8.encode("Client Key"))
    const withoutProof = `c=biws,r=${server.nonce}`
    const authMessage = utf8.encode(`${clientFirstBare},${first},${withoutProof}`)
    const proof = xor(clientKey, crypto.hmac(hash, crypto.digest(hash, clientKey), authMessage))
    const last = attributes(ascii.decode(yield* exchange(utf8.encode(`${withoutProof},p=${Encoding.encodeBase64(proof)}`))))
    const failed = last.get("e")
    if (failed !== undefined) return yield* Effect.fail(`the node reports: ${failed}`)
    const signature = Encoding.decodeBase64(last.get("v") ?? "")
    const expected = crypto.hmac(hash, crypto.hmac(hash, salted, utf8.encode("Server Key")), authMessage)
    if (Either.isLeft(signature) || !crypto.equal(signature.right, expected))
      return yield* Effect.fail("the node did not prove that it knows the password: it may be another than it claims")
  })
