import { Either } from "effect"
import { type Address, formatAddress } from "../ports/transport.ts"
import { InvalidAddress } from "./error.ts"

/** How to reach a cluster. Every duration is in ms. */
export interface ConnectionOptions {
  /** Where the cluster is found: the leader's address or any node's, `HOST:PORT`. Several, in a list or separated by commas, are tried until one answers. */
  readonly leader: string | ReadonlyArray<string>
  /** The name under which this client shows in the cluster's logs and groups. Default "comanche-franz". */
  readonly clientId?: string
  /** How long one attempt to connect may take. Default 10,000. */
  readonly connectTimeoutMs?: number
  /** How long a node may take to answer. Default 30,000. Where a call can be repeated an attempt takes a third of `retryTimeoutMs` at most, but at least 2,000. */
  readonly requestTimeoutMs?: number
  /** How long a call goes on trying while nodes cannot be reached, do not answer, or leaders change: the time of all its attempts together. Default 30,000. */
  readonly retryTimeoutMs?: number
  /** How long to wait for a topic that the cluster does not know. Default 5,000. */
  readonly unknownTopicTimeoutMs?: number
  /** What is known of topics and nodes is asked anew when it is older than this. Default 300,000. */
  readonly metadataMaxAgeMs?: number
  /** Bytes that an answer may have. Default 128 MiB. */
  readonly responseBytesMax?: number
  /** How long closing may take: sending what waits, committing, leaving the group. Default 10,000. */
  readonly closeTimeoutMs?: number
}

export interface Connecting {
  readonly bootstrap: ReadonlyArray<Address>
  readonly clientId: string
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly retryTimeoutMs: number
  /**
   * How long one attempt of a call may take, but for those that wait by their nature (Produce, Fetch, JoinGroup): a call should have time for more than one, over another
   * connection or node.
   */
  readonly attemptTimeoutMs: number
  /** How long a call may take with all its attempts. */
  readonly callTimeoutMs: number
  readonly unknownTopicTimeoutMs: number
  readonly metadataMaxAgeMs: number
  readonly responseBytesMax: number
  readonly closeTimeoutMs: number
}

/** No attempt gets less time than this, ms, unless `requestTimeoutMs` says so: a busy node is no half-open connection. */
const attemptLeastMs = 2000
/** How many attempts fit into the time of a call. */
const attempts = 3

/** Reads `HOST:PORT`, `[::1]:PORT` or `PLAINTEXT://HOST:PORT`. */
export const parseAddress = (text: string): Either.Either<Address, InvalidAddress> => {
  const match = /^(?:PLAINTEXT:\/\/)?(?:\[([^\]]+)\]|([^:[\]/]+)):(\d{1,5})$/i.exec(text.trim())
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  return host === undefined || port < 1 || port > 65_535 ? Either.left(new InvalidAddress({ address: text })) : Either.right({ host, port })
}

const parseAddresses = (leader: ConnectionOptions["leader"]): Either.Either<ReadonlyArray<Address>, InvalidAddress> => {
  const texts = (typeof leader === "string" ? leader.split(",") : leader).filter((text) => text.trim() !== "")
  return texts.length === 0 ? Either.left(new InvalidAddress({ address: String(leader) })) : Either.all(texts.map(parseAddress))
}

/** The options with every default in its place. */
export const connecting = (options: ConnectionOptions): Either.Either<Connecting, InvalidAddress> =>
  Either.map(parseAddresses(options.leader), (bootstrap) => {
    const requestTimeoutMs = options.requestTimeoutMs ?? 30_000
    const retryTimeoutMs = options.retryTimeoutMs ?? 30_000
    const attemptTimeoutMs = Math.min(requestTimeoutMs, Math.max(Math.ceil(retryTimeoutMs / attempts), attemptLeastMs))
    return {
      bootstrap,
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

export const bootstrapNames = (options: Connecting): ReadonlyArray<string> => options.bootstrap.map(formatAddress)
