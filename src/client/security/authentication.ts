import { Duration, Effect, Redacted } from "effect"
import { errorText, kafkaError } from "../../../domain/kernel/error-code.ts"
import type { Cryptography } from "../../ports/cryptography.ts"
import { type Address, formatAddress } from "../../ports/transport.ts"
import { SaslHandshake } from "../../protocol/message/17-sasl-handshake.ts"
import { SaslAuthenticate } from "../../protocol/message/36-sasl-authenticate.ts"
import type { CallFault } from "../../wire/fault.ts"
import type { Link } from "../../wire/link.ts"
import { AuthenticationFailed } from "../error.ts"
import { bearerMessage, errorOfToken, tokenOf } from "./oauth-bearer.ts"
import type { PasswordSettings, SaslSettings } from "./options.ts"
import { scram } from "./scram.ts"

/** Characters of a node's message that an error shows. */
const shownMax = 300

/** Why an authentication ended: a reason for the caller, or the fault of a call. */
type Ended = { readonly _tag: "Refused"; readonly reason: string; readonly temporary?: boolean } | CallFault
const refused = (reason: string, temporary = false): Ended => ({ _tag: "Refused", reason, temporary })

/** What one authentication needs. */
export interface Credentials {
  readonly sasl: SaslSettings
  readonly crypto: Cryptography["Type"]
  /** The time of the whole authentication, ms. */
  readonly timeoutMs: number
}

/** One authentication over a link: the exchange of tokens, and the lifetime that the last response named. */
class Exchange {
  lifetimeMs = 0
  constructor(
    private readonly link: Link,
    private readonly credentials: Credentials
  ) {}

  /** Chooses the mechanism. */
  readonly handshake: Effect.Effect<void, Ended> = Effect.suspend(() => {
    const { mechanism } = this.credentials.sasl
    if (this.link.versionOf(SaslHandshake) !== 1 || this.link.versionOf(SaslAuthenticate) === undefined)
      return Effect.fail(refused("the node does not support SASL as Kafka 1.0 and later do."))
    const own = { version: 1, timeoutMs: this.credentials.timeoutMs, urgent: true }
    return Effect.flatMap(this.link.call(SaslHandshake, { mechanism }, own), ({ errorCode, mechanisms }): Effect.Effect<void, Ended> => {
      const error = kafkaError(errorCode)
      if (error === "NONE") return Effect.void
      if (error === "ILLEGAL_SASL_STATE")
        return Effect.fail(refused("the port does not authenticate. Leave the option sasl out, or use the port of a SASL listener."))
      if (error !== "UNSUPPORTED_SASL_MECHANISM") return Effect.fail(refused(`${errorText(error)} (${error})`))
      const enabled = mechanisms.slice(0, 16).join(", ").slice(0, shownMax)
      return Effect.fail(
        refused(`the node does not enable this mechanism. It enables ${enabled === "" ? "none" : enabled}: set sasl.mechanism to one of them.`)
      )
    })
  })

  /** Sends a token; returns the node's. */
  readonly send = (authBytes: Uint8Array, who: string): Effect.Effect<Uint8Array, Ended> =>
    Effect.flatMap(
      this.link.call(SaslAuthenticate, { authBytes }, { timeoutMs: this.credentials.timeoutMs, urgent: true }),
      (response): Effect.Effect<Uint8Array, Ended> => {
        const error = kafkaError(response.errorCode)
        this.lifetimeMs = Number(response.sessionLifetimeMs)
        if (error === "NONE") return Effect.succeed(response.authBytes)
        const detail = (response.errorMessage ?? errorText(error)).slice(0, shownMax)
        return Effect.fail(refused(error === "SASL_AUTHENTICATION_FAILED" ? `the node refuses ${who}: ${detail}` : `${detail} (${error})`))
      }
    )
}

const utf8 = new TextEncoder()

const byPassword = (exchange: Exchange, { mechanism, password, username }: PasswordSettings, crypto: Credentials["crypto"]): Effect.Effect<void, Ended> => {
  const who = `the user ${JSON.stringify(username)}. Check its name and password`
  const send = (bytes: Uint8Array) => exchange.send(bytes, who)
  const plain = Redacted.value(password)
  if (mechanism === "PLAIN") return Effect.asVoid(send(utf8.encode(`\0${username}\0${plain}`)))
  // The fault of a call passes through the exchange of SCRAM as it is.
  let fault: Ended | undefined
  const hash = mechanism === "SCRAM-SHA-256" ? "SHA-256" : "SHA-512"
  const exchanged = (bytes: Uint8Array) =>
    Effect.mapError(send(bytes), (ended) => {
      fault = ended
      return ""
    })
  return Effect.mapError(scram({ exchange: exchanged, username, password: plain, hash, crypto }), (reason) => fault ?? refused(reason))
}

const byToken = (exchange: Exchange, token: Extract<SaslSettings, { mechanism: "OAUTHBEARER" }>["token"]): Effect.Effect<void, Ended> =>
  Effect.gen(function* () {
    const message = yield* Effect.mapError(Effect.flatMap(tokenOf(token), bearerMessage), ({ reason, temporary }) => refused(reason, temporary))
    const who = "the token. Check its audience, its scope and its expiry"
    const response = yield* exchange.send(message, who)
    if (response.length === 0) return
    // RFC 7628, 3.2.3: the client completes the exchange with one byte, and the node closes it with its error.
    yield* Effect.either(exchange.send(new Uint8Array([1]), who))
    return yield* Effect.fail(refused(`the node refuses ${who}: ${errorOfToken(response).slice(0, shownMax)}`))
  })

/**
 * Authenticates a connection by SaslHandshake and SaslAuthenticate (KIP-43, KIP-152). Returns the lifetime of the
 * session, ms; 0 where it has none (KIP-368). It may run again on the same connection, `alone`.
 */
export const authenticate = (link: Link, address: Address, credentials: Credentials): Effect.Effect<number, AuthenticationFailed | CallFault> => {
  const { crypto, sasl, timeoutMs } = credentials
  const failed = (reason: string, temporary = false) =>
    new AuthenticationFailed({ address: formatAddress(address), mechanism: sasl.mechanism, reason, temporary })
  const exchange = new Exchange(link, credentials)
  const exchanged = Effect.suspend(() => (sasl.mechanism === "OAUTHBEARER" ? byToken(exchange, sasl.token) : byPassword(exchange, sasl, crypto)))
  return Effect.andThen(exchange.handshake, exchanged).pipe(
    Effect.mapError((ended) => (ended._tag === "Refused" ? failed(ended.reason, ended.temporary) : ended)),
    Effect.timeoutFail({
      duration: Duration.millis(timeoutMs),
      onTimeout: () => failed(`it did not finish within connectTimeoutMs=${timeoutMs}.`, true)
    }),
    Effect.map(() => exchange.lifetimeMs)
  )
}
