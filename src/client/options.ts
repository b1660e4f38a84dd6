import { Either } from "effect"
import { type Address, formatAddress } from "../ports/transport.ts"
import { InvalidAddress } from "./error.ts"
import { type SaslOptions, type SecuritySettings, securitySettings, type TlsOptions } from "./security/options.ts"

/** How to reach a cluster. Durations are in ms. Kafka's name for each setting is in brackets. */
export interface ConnectionOptions {
  /**
   * The addresses of one or several nodes, `HOST:PORT`, in a list or separated by commas. They are tried until one
   * responds. [bootstrap.servers]
   */
  readonly leader: string | ReadonlyArray<string>
  /** The name of this client in the cluster's logs and groups. Default "comanche-franz". [client.id] */
  readonly clientId?: string
  /** TLS to every node; `true` trusts the authorities of the runtime. Default: without TLS. [security.protocol=SSL, SASL_SSL] */
  readonly tls?: boolean | TlsOptions
  /** Authentication at every node. Default: none. [sasl.mechanism, sasl.jaas.config] */
  readonly sasl?: SaslOptions
  /**
   * Counts requests, errors, records, lag and rebalances in Effect's `Metric`s, whose names begin with `franz_client_`
   * (docs/observability.md). About 2 µs of processor time for each request. Default false.
   */
  readonly metrics?: boolean
  /** The time of one attempt to connect; with `sasl` also the time to authenticate after that. Default 10,000. [socket.connection.setup.timeout.ms] */
  readonly connectTimeoutMs?: number
  /**
   * The time that a node has for its response. Default 30,000. Where a call can be retried, an attempt takes a third of
   * `retryTimeoutMs` at most, but at least 2,000. [request.timeout.ms]
   */
  readonly requestTimeoutMs?: number
  /**
   * The time of a call with all its attempts, while nodes are unreachable, do not respond, or leaders change. Default
   * 30,000. [default.api.timeout.ms]
   */
  readonly retryTimeoutMs?: number
  /** The time to wait for a topic that the cluster does not have yet. Default 5,000. */
  readonly unknownTopicTimeoutMs?: number
  /** The age from which metadata is requested again. Default 300,000. [metadata.max.age.ms] */
  readonly metadataMaxAgeMs?: number
  /** Bytes of one response, at most. Default 128 MiB. */
  readonly responseBytesMax?: number
  /** The time for closing: to send what is buffered, to commit and to leave the group. Default 10,000. */
  readonly closeTimeoutMs?: number
}

/** `ConnectionOptions` with every default filled in. */
export interface ConnectionSettings {
  readonly bootstrap: ReadonlyArray<Address>
  readonly security: SecuritySettings
  readonly metrics: boolean
  readonly clientId: string
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly retryTimeoutMs: number
  /**
   * The time of one attempt of a call, except of those that wait by their nature (Produce, Fetch, JoinGroup). It leaves
   * time for another attempt, over another connection or at another node.
   */
  readonly attemptTimeoutMs: number
  /** The time of a call with all its attempts. */
  readonly callTimeoutMs: number
  readonly unknownTopicTimeoutMs: number
  readonly metadataMaxAgeMs: number
  readonly responseBytesMax: number
  readonly closeTimeoutMs: number
}

/** The least time of an attempt, ms, unless `requestTimeoutMs` is less: a busy node is not a half-open connection. */
const attemptLeastMs = 2000
/** How many attempts fit into the time of a call. */
const attempts = 3

/** Reads `HOST:PORT` or `[::1]:PORT`, with or without a protocol of Kafka's before it, as `SASL_SSL://HOST:PORT`. */
const parseAddress = (text: string): Either.Either<Address, InvalidAddress> => {
  const match = /^(?:(?:PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL):\/\/)?(?:\[([^\]]+)\]|([^:[\]/]+)):(\d{1,5})$/i.exec(text.trim())
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  return host === undefined || port < 1 || port > 65_535 ? Either.left(new InvalidAddress({ address: text })) : Either.right({ host, port })
}

const parseAddresses = (leader: ConnectionOptions["leader"]): Either.Either<ReadonlyArray<Address>, InvalidAddress> => {
  const texts = (typeof leader === "string" ? leader.split(",") : leader).filter((text) => text.trim() !== "")
  return texts.length === 0 ? Either.left(new InvalidAddress({ address: String(leader) })) : Either.all(texts.map(parseAddress))
}

/** Fills in the defaults. InvalidAddress where `leader` has no address, or one that is not `HOST:PORT`. */
export const connectionSettings = (options: ConnectionOptions): Either.Either<ConnectionSettings, InvalidAddress> =>
  Either.map(parseAddresses(options.leader), (bootstrap) => {
    const requestTimeoutMs = options.requestTimeoutMs ?? 30_000
    const retryTimeoutMs = options.retryTimeoutMs ?? 30_000
    const attemptTimeoutMs = Math.min(requestTimeoutMs, Math.max(Math.ceil(retryTimeoutMs / attempts), attemptLeastMs))
    return {
      bootstrap,
      metrics: options.metrics ?? false,
      security: securitySettings(options.tls, options.sasl),
      clientId: options.clientId ?? "comanche-franz",
      connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
      requestTimeoutMs,
      retryTimeoutMs,
      attemptTimeoutMs,
      callTimeoutMs: Math.max(retryTimeoutMs, attemptTimeoutMs),
      unknownTopicTimeoutMs: options.unknownTopicTimeoutMs ?? 5_000,
      metadataMaxAgeMs: options.metadataMaxAgeMs ?? 300_000,
      responseBytesMax: options.responseBytesMax ?? 128 * 1024 * 1024,
      closeTimeoutMs: options.closeTimeoutMs ?? 10_000
    }
  })

export const bootstrapNames = (options: ConnectionSettings): ReadonlyArray<string> => options.bootstrap.map(formatAddress)
