import type { ConsumerOptions as EffectConsumerOptions } from "../consumer/options.ts"
import type { ConnectionOptions } from "../options.ts"
import type { ProducerOptions as EffectProducerOptions } from "../producer/options.ts"
import type { SaslOptions as EffectSaslOptions, OAuthToken } from "../security/options.ts"
import { type CallbackContext, effectOf, withField } from "./callbacks.ts"

/** OAUTHBEARER shows a token (RFC 7628, KIP-255). */
interface TokenOptions {
  readonly mechanism: "OAUTHBEARER"
  /** Gives a token for each connection and each renewal of a session: it keeps the token as long as it is valid. */
  readonly token: (context: CallbackContext) => OAuthToken | PromiseLike<OAuthToken>
}

/** How the client proves who it is. [sasl.mechanism, sasl.jaas.config] */
export type SaslOptions = Exclude<EffectSaslOptions, { readonly mechanism: "OAUTHBEARER" }> | TokenOptions

/** A line of the client's log. */
export interface LogEntry {
  readonly level: "trace" | "debug" | "info" | "warning" | "error" | "fatal"
  readonly message: string
  /** What the line is about, as `topic` and `partition`. */
  readonly annotations: Readonly<Record<string, unknown>>
  readonly error?: unknown
}

/** How to reach a cluster, and where the client reports what no call returns. */
export interface ConnectOptions extends Omit<ConnectionOptions, "sasl"> {
  /** Authentication at every node. Default: none. [sasl.mechanism, sasl.jaas.config] */
  readonly sasl?: SaslOptions
  /**
   * Gets the errors of what runs in the background: the failure of a `run`, also of one that is not awaited, a defect of
   * the client, a defect of a function of the caller. What it throws is ignored.
   */
  readonly onError?: (error: Error) => void
  /** Gets the lines of the client's log. Default: the console, from level info on. What it throws is ignored. */
  readonly log?: (entry: LogEntry) => void
}

/** The connection is that of the client. */
type Shared = "leader" | "sasl" | "tls"
/** How a producer sends. Options of the connection are those of the client, unless they are given here. */
export interface ProducerOptions extends Omit<EffectProducerOptions, Shared> {}
/** How a consumer reads. Options of the connection are those of the client, unless they are given here. */
export interface ConsumerOptions extends Omit<EffectConsumerOptions, Shared> {}

/** Options of the library, without what is the facade's own. */
export const connectionOf = (options: ConnectOptions): ConnectionOptions => {
  if (typeof options !== "object" || options === null) return options
  const { log: _log, onError: _onError, ...connection } = options
  const effectful = (token: TokenOptions["token"]) => (typeof token === "function" ? effectOf(token) : token)
  return withField(connection, "sasl", (sasl: unknown) => withField<TokenOptions["token"], unknown>(sasl, "token", effectful))
}
