import { Context, Effect, type Scope } from "effect"
import type { KafkaError } from "../../../domain/kernel/error-code.ts"
import type { Address, Transport } from "../../ports/transport.ts"
import type { AnyApi, RequestDraft, ResponseOf } from "../../protocol/type/wire.ts"
import { type CallOptions, makePool, type Pool } from "../connection/pool.ts"
import { type AuthenticationFailed, type CallError, type InvalidAddress, KafkaFailure, NotReachable, RequestTimedOut } from "../error.ts"
import { type MetadataCache, makeMetadata } from "../metadata/metadata.ts"
import { bootstrapNames, type ConnectionOptions, type ConnectionSettings, connectionSettings } from "../options.ts"
import { timeLeft } from "../runtime/deadline.ts"
import { monotonicNow } from "../runtime/monotonic.ts"
import { makeSyncRandom, type SyncRandom } from "../runtime/random.ts"
import { isLeadership, type RetryKind, retryWithin } from "../runtime/retry.ts"

type Call = <A extends AnyApi>(api: A, request: RequestDraft<A>, options?: CallOptions) => Effect.Effect<ResponseOf<A>, CallError>

/** What producer, consumer and admin share: connections, metadata, and calls to the right node. */
export interface Client {
  readonly options: ConnectionSettings
  readonly pool: Pool
  readonly metadata: MetadataCache
  readonly random: SyncRandom
  /** One call to a node by its id. NotReachable where the cluster's metadata has no such node. */
  readonly callNode: <A extends AnyApi>(id: number, api: A, request: RequestDraft<A>, options?: CallOptions) => Effect.Effect<ResponseOf<A>, CallError>
  /** One call to the cluster's controller. */
  readonly callController: Call
  /** One call to any known node: the nodes are tried until one responds. */
  readonly callAny: Call
  /**
   * Retries an effect while nodes are unreachable and leaders change, with a metadata refresh before each attempt, for
   * `callTimeoutMs` with the last attempt.
   */
  readonly persistently: <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | RequestTimedOut, R>
}

/** The client that a producer or a consumer is built upon. */
export class ClusterClient extends Context.Tag("comanche-franz/client/ClusterClient")<ClusterClient, Client>() {}

/** Returns how an error of a call is retried; undefined where a retry cannot help. */
export const retryKind = (error: { readonly _tag: string }): RetryKind | undefined => {
  switch (error._tag) {
    case "NotReachable":
    case "RequestTimedOut":
      return "connection"
    case "AuthenticationFailed":
      return (error as AuthenticationFailed).temporary ? "connection" : undefined
    case "KafkaFailure": {
      const { error: name, retriable } = error as KafkaFailure
      return isLeadership(name) ? "leadership" : retriable ? "load" : undefined
    }
    default:
      return undefined
  }
}

/**
 * Ends the attempts after `timeoutMs` with the error of the last one that ended by itself, or with `noResponse` where
 * none did.
 */
const bounded = <A, E, R, S>(
  timeoutMs: number,
  noResponse: () => S,
  attempt: Effect.Effect<A, E, R>,
  retried: (attempt: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | S, R> =>
  Effect.suspend(() => {
    let last: E | undefined
    const noted = Effect.tapError(attempt, (error) =>
      Effect.sync(() => {
        last = error
      })
    )
    return Effect.timeoutFail(retried(noted), { duration: timeoutMs, onTimeout: (): E | S => last ?? noResponse() })
  })

/** Fails for the error of a response, in the form that `persistently` retries; NONE passes. */
export const expectNone = (error: KafkaError, what: string, detail: string | null = null): Effect.Effect<void, KafkaFailure> =>
  error === "NONE" ? Effect.void : Effect.fail(new KafkaFailure({ error, what, detail }))

/** The calls of a client over its connections and metadata. */
const callsOf = (settings: ConnectionSettings, pool: Pool, metadata: MetadataCache, random: SyncRandom) => {
  const notReachable = (reason: string) => Effect.fail(new NotReachable({ addresses: bootstrapNames(settings), reason }))
  const addressOf = (id: number): Address | undefined => metadata.view().nodes.get(id)?.address

  const callNode: Client["callNode"] = (id, api, request, options) => {
    const address = addressOf(id)
    return address === undefined ? notReachable(`the cluster has no node ${id} at present`) : pool.call(address, api, request, options)
  }
  const callController: Call = (api, request, options) => Effect.suspend(() => callNode(metadata.view().controllerId, api, request, options))
  const callAny: Call = (api, request, options) =>
    Effect.suspend(() => {
      const ids = [...metadata.view().nodes.keys()]
      const first = random.below(Math.max(1, ids.length))
      const ordered = [...ids.slice(first), ...ids.slice(0, first)]
      const calls = ordered.map((id) => callNode(id, api, request, options))
      return calls.length === 0 ? notReachable("the cluster has no node at present") : Effect.firstSuccessOf(calls)
    })
  return { callNode, callController, callAny }
}

/** The log says what the first contact waits for after this time, ms. */
const firstNoticeMs = 3000

/**
 * Requests the nodes of the cluster for the first time. A program with a wrong address would print nothing until its
 * timeout, so a warning says once what fails meanwhile.
 */
const firstNodes = (settings: ConnectionSettings, metadata: MetadataCache): Effect.Effect<void, CallError> =>
  Effect.flatMap(monotonicNow, (beganAt) => {
    let isSaid = false
    const say = (error: CallError) =>
      Effect.flatMap(monotonicNow, (now) => {
        if (isSaid || retryKind(error) === undefined || now - beganAt < firstNoticeMs) return Effect.void
        isSaid = true
        return Effect.logWarning(`The client tries to connect until retryTimeoutMs=${settings.retryTimeoutMs} is over. ${error.message}`)
      })
    const noResponse = () => new NotReachable({ addresses: bootstrapNames(settings), reason: `no response within ${settings.callTimeoutMs} ms` })
    const attempt = Effect.asVoid(Effect.tapError(metadata.refresh([]), say))
    return bounded(settings.callTimeoutMs, noResponse, attempt, retryWithin<CallError>(settings.retryTimeoutMs, retryKind))
  })

/**
 * Makes a client and requests the cluster's nodes. NotReachable when no node responds within `retryTimeoutMs`. Its
 * connections close with the scope.
 */
export const makeClient = (options: ConnectionOptions): Effect.Effect<Client, CallError | InvalidAddress, Transport | Scope.Scope> =>
  Effect.gen(function* () {
    const settings = yield* connectionSettings(options)
    const random = yield* makeSyncRandom
    const pool = yield* makePool(settings, random)
    const metadata = yield* makeMetadata(settings, pool, random)
    pool.metrics?.nameTopics((id) => metadata.view().namesById.get(id))

    const timedOut = (timeoutMs: number) => () => {
      const cluster = `the cluster at ${bootstrapNames(settings).join(", ")}`
      return new RequestTimedOut({ what: `The call to ${cluster}`, timeoutMs, reason: "no node responded." })
    }
    const persistently = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | RequestTimedOut, R> =>
      Effect.flatMap(timeLeft(settings.callTimeoutMs), (timeoutMs) =>
        bounded(timeoutMs, timedOut(timeoutMs), effect, (attempt) =>
          Effect.tapError(attempt, (error) => (retryKind(error) === undefined ? Effect.void : Effect.ignore(metadata.refresh([])))).pipe(
            retryWithin<E>(Math.min(timeoutMs, settings.retryTimeoutMs), retryKind)
          )
        )
      )

    yield* firstNodes(settings, metadata)
    return { options: settings, pool, metadata, random, persistently, ...callsOf(settings, pool, metadata, random) }
  })
