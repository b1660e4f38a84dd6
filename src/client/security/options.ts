import { type Effect, Redacted } from "effect"
import type { TlsSettings } from "../../ports/transport.ts"

/** A text that never appears in logs, errors or spans. A plain text is wrapped at once. */
export type Secret = string | Redacted.Redacted<string>

/** TLS to every node. Certificates and keys are PEM text, not paths. */
export interface TlsOptions {
  /** The certification authorities to trust. Default: those of the runtime. [ssl.truststore.certificates] */
  readonly ca?: string | ReadonlyArray<string>
  /** The client's certificate, followed by its chain, where the nodes ask for one. [ssl.keystore.certificate.chain] */
  readonly certificate?: string
  /** The key of `certificate`. [ssl.keystore.key] */
  readonly privateKey?: Secret
  /** The passphrase of an encrypted `privateKey`. [ssl.key.password] */
  readonly passphrase?: Secret
  /** The name that the certificate of every node must be valid for. Default: the host that the client connects to. */
  readonly serverName?: string
  /**
   * Accepts any certificate, so that any machine on the way can read and change all messages and passwords. For
   * experiments alone. Default false.
   */
  readonly dangerouslyAcceptAnyCertificate?: boolean
}

/** A bearer token, as `sasl.token` gives it (RFC 6750). */
export interface OAuthToken {
  readonly value: Secret
  /** SASL extensions, sent with the token (KIP-342). */
  readonly extensions?: Readonly<Record<string, string>>
}

/** PLAIN sends the password to the node: use it over TLS alone (RFC 4616). */
interface PlainOptions {
  readonly mechanism: "PLAIN"
  readonly username: string
  readonly password: Secret
}
/** SCRAM proves both sides' knowledge of the password without sending it (RFC 5802, RFC 7677). */
interface ScramOptions {
  readonly mechanism: "SCRAM-SHA-256" | "SCRAM-SHA-512"
  readonly username: string
  readonly password: Secret
}
/** OAUTHBEARER shows a token (RFC 7628, KIP-255). */
interface OAuthBearerOptions {
  readonly mechanism: "OAUTHBEARER"
  /**
   * Gives a token for each connection and each renewal of a session: it keeps the token as long as it is valid. Its
   * failure is AuthenticationFailed.
   */
  readonly token: Effect.Effect<OAuthToken, unknown>
}
/** How the client proves who it is. [sasl.mechanism, sasl.jaas.config] */
export type SaslOptions = PlainOptions | ScramOptions | OAuthBearerOptions

export interface PasswordSettings {
  readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512"
  readonly username: string
  readonly password: Redacted.Redacted<string>
}
/** `SaslOptions` with its secrets wrapped. */
export type SaslSettings = PasswordSettings | OAuthBearerOptions

/** TLS and SASL of a client; undefined for neither. */
export interface SecuritySettings {
  readonly tls: TlsSettings | undefined
  readonly sasl: SaslSettings | undefined
}

export const secret = (text: Secret): Redacted.Redacted<string> => (typeof text === "string" ? Redacted.make(text) : text)
const optionalSecret = (text: Secret | undefined) => (text === undefined ? undefined : secret(text))

const tlsSettings = (options: true | TlsOptions): TlsSettings => {
  const { ca, certificate, dangerouslyAcceptAnyCertificate = false, passphrase, privateKey, serverName }: TlsOptions = options === true ? {} : options
  return {
    ca: ca === undefined ? undefined : typeof ca === "string" ? [ca] : ca,
    certificate,
    privateKey: optionalSecret(privateKey),
    passphrase: optionalSecret(passphrase),
    serverName,
    verify: !dangerouslyAcceptAnyCertificate
  }
}
const saslSettings = (options: SaslOptions): SaslSettings =>
  options.mechanism === "OAUTHBEARER"
    ? { mechanism: options.mechanism, token: options.token }
    : { mechanism: options.mechanism, username: options.username, password: secret(options.password) }

/** Fills in the defaults, and wraps the secrets. */
export const securitySettings = (tls: boolean | TlsOptions | undefined, sasl: SaslOptions | undefined): SecuritySettings => ({
  tls: tls === undefined || tls === false ? undefined : tlsSettings(tls),
  sasl: sasl === undefined ? undefined : saslSettings(sasl)
})
