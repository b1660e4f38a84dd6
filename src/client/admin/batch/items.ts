import { Effect, Either } from "effect"
import { type KafkaError, kafkaError } from "../../../../domain/kernel/error-code.ts"
import { type Client, retryKind } from "../../cluster/client.ts"
import type { TopicPartition } from "../../cluster/topic-partition.ts"
import { type CallError, failure, KafkaFailure, type NotAuthorized, RequestTimedOut } from "../../error.ts"
import { monotonicNow } from "../../runtime/monotonic.ts"
import { retryDelayMs } from "../../runtime/retry.ts"

/** Options of every call of the admin that names several things. */
export interface AdminOptions {
  /** The time of the call with all its attempts, ms. Default: `retryTimeoutMs` of the connection. [timeout.ms] */
  readonly timeoutMs?: number
}
export interface ChangeOptions extends AdminOptions {
  /** The cluster checks the changes, and makes none. Default false. */
  readonly validateOnly?: boolean
}

/** Why one item of a call was not done. */
export type ItemError = CallError | NotAuthorized
/** One item of a call, with its own result. */
export interface ItemResult<K, A> {
  readonly item: K
  readonly result: Either.Either<A, ItemError>
}
export type ItemResults<K, A> = ReadonlyArray<ItemResult<K, A>>
type Results<A> = ReadonlyArray<Either.Either<A, ItemError>>

/** Nodes that are called at the same time, at most. */
export const nodesAtOnce = 16

/** The result for an error code of a response. */
export const resultOf = <A>(errorCode: number, what: string, detail: string | null, value: A): Either.Either<A, ItemError> => {
  const error = kafkaError(errorCode)
  return error === "NONE" ? Either.right(value) : Either.left(failure(error, what, detail))
}
export const missing = (what: string): Either.Either<never, ItemError> =>
  Either.left(new KafkaFailure({ error: "UNKNOWN_SERVER_ERROR", what, detail: "the response does not name it." }))
export const partitionName = ({ partition, topic }: TopicPartition): string => `${topic}-${partition}`

const unknownTopics: ReadonlySet<KafkaError> = new Set<KafkaError>(["UNKNOWN_TOPIC_OR_PARTITION", "UNKNOWN_TOPIC_ID"])
/** How long a new topic may be unknown to the node that responds, ms. */
const newTopicMs = 1000

/** What a call over several items needs beside them. */
interface Batch<K, A> {
  readonly what: string
  readonly items: ReadonlyArray<K>
  readonly options: AdminOptions | undefined
  /** The node that answers decides about topics: one that it does not know is not there. Brokers may learn of it later. */
  readonly isController?: true
  /** Attempts the items; returns a result for each, in their order. */
  readonly attempt: (items: ReadonlyArray<K>) => Effect.Effect<Results<A>>
}

/** The time of a call, ms. */
const timeoutOf = (client: Client, options: AdminOptions | undefined): number => options?.timeoutMs ?? client.options.callTimeoutMs
/** The time that a request names as the node's own. */
export const nodeTimeoutOf = (client: Client, options: AdminOptions | undefined): number =>
  Math.min(timeoutOf(client, options), client.options.attemptTimeoutMs)

/**
 * Attempts items until each is done or refused, for the call's time. Only those are attempted again whose leader,
 * coordinator or connection changed. The results are in the order of the items.
 */
export const perItem = <K, A>(client: Client, { attempt, isController, items, options, what }: Batch<K, A>): Effect.Effect<ItemResults<K, A>> =>
  Effect.gen(function* () {
    const timeoutMs = timeoutOf(client, options)
    const startedAt = yield* monotonicNow
    const results = new Map<number, Either.Either<A, ItemError>>()
    let pending = items.map((_, index) => index)
    for (let tries = 1; pending.length > 0; tries++) {
      const leftMs = startedAt + timeoutMs - (yield* monotonicNow)
      const late = Either.left(new RequestTimedOut({ what, timeoutMs, reason: "a node did not respond." }))
      // The error of an earlier attempt says more than that of one that was cut off.
      const cutOff = () => pending.map((index) => results.get(index) ?? late)
      const attempted = attempt(pending.map((index) => items[index] as K))
      const found = yield* Effect.timeoutTo(attempted, { duration: Math.max(0, leftMs), onSuccess: (all) => all, onTimeout: cutOff })
      for (const [at, index] of pending.entries()) results.set(index, found[at] ?? missing(what))
      const elapsedMs = (yield* monotonicNow) - startedAt
      const again = pending.flatMap((index) => {
        const result = results.get(index)
        if (result === undefined || Either.isRight(result)) return []
        const kind = retryKind(result.left)
        const isUnknown = result.left._tag === "KafkaFailure" && unknownTopics.has(result.left.error)
        return kind === undefined || (isUnknown && (isController === true || elapsedMs >= newTopicMs)) ? [] : [{ index, kind }]
      })
      if (again.length === 0) break
      const pauseMs = retryDelayMs(again[0]?.kind ?? "load", tries, client.random.next())
      if (elapsedMs + pauseMs >= timeoutMs) break
      yield* Effect.sleep(pauseMs)
      yield* Effect.ignore(Effect.timeout(client.metadata.refresh([]), Math.max(1, timeoutMs - elapsedMs - pauseMs)))
      pending = again.map(({ index }) => index)
    }
    return items.map((item, index) => ({ item, result: results.get(index) ?? missing(what) }))
  })

/** All items in one request: an error of the call is the result of each. */
export const together =
  <K, A>(send: (items: ReadonlyArray<K>) => Effect.Effect<Results<A>, ItemError>) =>
  (items: ReadonlyArray<K>): Effect.Effect<Results<A>> =>
    Effect.catchAll(send(items), (error) => Effect.succeed(items.map(() => Either.left(error))))

/** Groups items by a key that each has, or that cannot be found; returns the results in the order of the items. */
export const grouped = <K, N, A>(
  items: ReadonlyArray<K>,
  keyOf: (item: K) => Either.Either<N, ItemError>,
  send: (key: N, items: ReadonlyArray<K>) => Effect.Effect<Results<A>, ItemError>
): Effect.Effect<Results<A>> =>
  Effect.gen(function* () {
    const results: Array<Either.Either<A, ItemError> | undefined> = items.map(() => undefined)
    const groups = new Map<N, Array<number>>()
    for (const [index, item] of items.entries()) {
      const key = keyOf(item)
      if (Either.isLeft(key)) results[index] = Either.left(key.left)
      else groups.set(key.right, [...(groups.get(key.right) ?? []), index])
    }
    const sendGroup = ([key, indexes]: readonly [N, ReadonlyArray<number>]) =>
      Effect.map(together((members: ReadonlyArray<K>) => send(key, members))(indexes.map((index) => items[index] as K)), (found) => {
        for (const [at, index] of indexes.entries()) results[index] = found[at]
      })
    yield* Effect.forEach(groups, sendGroup, { concurrency: nodesAtOnce, discard: true })
    return results.map((result) => result ?? missing("The item"))
  })

/** Sends partitions to their leaders, one request for each node. */
export const atLeaders =
  <K extends TopicPartition, A>(client: Client, send: (node: number, items: ReadonlyArray<K>) => Effect.Effect<Results<A>, ItemError>) =>
  (items: ReadonlyArray<K>): Effect.Effect<Results<A>> =>
    Effect.gen(function* () {
      const refreshed = yield* Effect.either(client.metadata.refresh([...new Set(items.map(({ topic }) => topic))]))
      if (Either.isLeft(refreshed)) return items.map(() => Either.left(refreshed.left))
      const { topicErrors, topics } = refreshed.right
      const leaderOf = (item: K): Either.Either<number, ItemError> => {
        const topic = topics.get(item.topic)
        const leader = topic?.partitions[item.partition]?.leader
        if (leader !== undefined && leader >= 0) return Either.right(leader)
        const error = leader === undefined ? (topicErrors.get(item.topic) ?? "UNKNOWN_TOPIC_OR_PARTITION") : "LEADER_NOT_AVAILABLE"
        return Either.left(failure(error, partitionName(item)))
      }
      return yield* grouped(items, leaderOf, send)
    })

/** Sends items to the nodes that they name, one request for each; undefined means any node. */
export const atNodes =
  <K, A>(
    client: Client,
    nodeOf: (item: K) => number | undefined,
    send: (node: number | undefined, items: ReadonlyArray<K>) => Effect.Effect<Results<A>, ItemError>
  ) =>
  (items: ReadonlyArray<K>): Effect.Effect<Results<A>> =>
    Effect.gen(function* () {
      const isKnown = (node: number | undefined) => node === undefined || client.metadata.view().nodes.has(node)
      if (!items.every((item) => isKnown(nodeOf(item)))) yield* Effect.ignore(client.metadata.refresh([]))
      const keyOf = (item: K): Either.Either<number | undefined, ItemError> => {
        const node = nodeOf(item)
        return isKnown(node)
          ? Either.right(node)
          : Either.left(failure("BROKER_ID_NOT_REGISTERED", `The broker ${node}`, "the cluster has no such node at present."))
      }
      return yield* grouped(items, keyOf, send)
    })

/** Groups partitions by their topic, for a request. */
export const byTopic = <K extends TopicPartition, P>(
  items: ReadonlyArray<K>,
  partitionOf: (item: K) => P
): ReadonlyArray<{ readonly name: string; readonly partitions: ReadonlyArray<P> }> => {
  const topics = new Map<string, Array<P>>()
  for (const item of items) topics.set(item.topic, [...(topics.get(item.topic) ?? []), partitionOf(item)])
  return [...topics].map(([name, partitions]) => ({ name, partitions }))
}

/** One call that names nothing, or one thing, over all its attempts. */
export const once = <A, E extends { readonly _tag: string }>(
  client: Client,
  what: string,
  options: AdminOptions | undefined,
  call: Effect.Effect<A, E>
): Effect.Effect<A, E | RequestTimedOut> => {
  const timeoutMs = timeoutOf(client, options)
  return Effect.timeoutFail(client.persistently(call), {
    duration: timeoutMs,
    onTimeout: () => new RequestTimedOut({ what, timeoutMs, reason: "no node responded." })
  })
}
