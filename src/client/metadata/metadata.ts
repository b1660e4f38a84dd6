import { Clock, Data, Effect } from "effect"
import { type KafkaError, kafkaError } from "../../../domain/kernel/error-code.ts"
import type { Address } from "../../ports/transport.ts"
import { Metadata } from "../../protocol/message/03-metadata.ts"
import type { Pool } from "../connection/pool.ts"
import { type CallError, failure, InvalidTopic, KafkaFailure, type NotAuthorized, NotReachable, RequestTimedOut, UnknownTopic } from "../error.ts"
import { bootstrapNames, type ConnectionSettings } from "../options.ts"
import { timeLeft } from "../runtime/deadline.ts"
import type { SyncRandom } from "../runtime/random.ts"
import { isLeadership, retryWithin } from "../runtime/retry.ts"
import { defectOf, reportDefect } from "../runtime/supervision.ts"
import { type ClusterView, emptyView, type TopicView, updated, withoutTopic } from "./view.ts"

export type TopicError = CallError | UnknownTopic | InvalidTopic | NotAuthorized
/** The topics of a request: by name, all that the cluster has, or none ([]: the nodes alone). */
type Topics = ReadonlyArray<string> | "all"

/** The cluster's metadata, requested once and kept. */
export interface MetadataCache {
  readonly view: () => ClusterView
  /**
   * Requests metadata. Concurrent callers share a request. `create`: the cluster may create topics that it does not
   * have (auto.create.topics.enable).
   */
  readonly refresh: (topics: Topics, create?: boolean) => Effect.Effect<ClusterView, CallError>
  /**
   * Returns the topic, from the cache where it is younger than the maximum age. Waits up to `unknownTopicTimeoutMs` for
   * one that the cluster does not have yet.
   */
  readonly topic: (name: string, create?: boolean) => Effect.Effect<TopicView, TopicError>
  /** As `topic`, but always by a request, and waits for `withinMs` at most. */
  readonly freshTopic: (name: string, create?: boolean, withinMs?: number) => Effect.Effect<TopicView, TopicError>
  readonly forget: (name: string) => void
}

/**
 * Collects the topics of concurrent callers, so that one request serves them all, and knows which request served which
 * topic.
 */
class PendingTopics {
  private readonly names = new Set<string>()
  private all = false
  private requests = 0
  private readonly servedBy = new Map<string, number>()
  private allServedBy = 0

  /** Adds topics for the next request. Returns the number of requests so far: only a later one can serve the caller. */
  add(topics: Topics): number {
    if (topics === "all") this.all = true
    else for (const name of topics) this.names.add(name)
    return this.requests
  }
  isServed(topics: Topics, after: number): boolean {
    if (topics === "all") return this.allServedBy > after
    return this.requests > after && topics.every((name) => Math.max(this.servedBy.get(name) ?? 0, this.allServedBy) > after)
  }
  /** Takes all topics for one request; `served` is called when it has succeeded. */
  take(): { readonly topics: Topics; readonly served: () => void } {
    const topics = this.all ? ("all" as const) : [...this.names]
    this.names.clear()
    this.all = false
    this.requests += 1
    const request = this.requests
    const served = () => {
      if (topics === "all") this.allServedBy = request
      else for (const name of topics) this.servedBy.set(name, request)
    }
    return { topics, served }
  }
}

/** The cluster has no partitions of the topic to show, for this error. */
class TopicUnavailable extends Data.TaggedError("TopicUnavailable")<{ readonly error: KafkaError }> {}

/** The known nodes in random order, so that many clients spread, and then the bootstrap addresses. */
const candidates = (view: ClusterView, bootstrap: ReadonlyArray<Address>, random: SyncRandom): ReadonlyArray<Address> => {
  const known = [...view.nodes.values()].map(({ address }) => ({ address, at: random.next() }))
  return [...known.sort((a, b) => a.at - b.at).map(({ address }) => address), ...bootstrap]
}

const noResponse = (topic: string, timeoutMs: number) => new RequestTimedOut({ what: `Looking up '${topic}'`, timeoutMs, reason: "no node responded." })

/** Requests metadata from one address after another until one responds with at least one node. */
const requestFromAny = (settings: ConnectionSettings, pool: Pool, addresses: ReadonlyArray<Address>, topics: Topics, create: boolean) =>
  Effect.gen(function* () {
    const notReachable = (reason: string) => new NotReachable({ addresses: bootstrapNames(settings), reason })
    let last: CallError = notReachable("no address was tried")
    for (const address of addresses) {
      const request = { topics: topics === "all" ? null : topics.map((name) => ({ name })), allowAutoTopicCreation: create }
      const response = yield* Effect.either(pool.call(address, Metadata, request))
      if (response._tag === "Left") {
        last = response.left
        // The other nodes refuse the same credentials: an account that locks itself must not be tried often.
        if (last._tag === "UnsupportedByCluster" || (last._tag === "AuthenticationFailed" && !last.temporary)) break
        continue
      }
      const error = kafkaError(response.right.errorCode)
      if (error === "NONE" && response.right.brokers.length > 0) return response.right
      last = error === "NONE" ? notReachable("the cluster has no broker that is ready") : new KafkaFailure({ error, what: "Metadata", detail: null })
    }
    return yield* Effect.fail<CallError>(last._tag === "NotReachable" ? notReachable(last.reason) : last)
  })

const topicError = (error: KafkaError, topic: string): TopicError => {
  if (error === "UNKNOWN_TOPIC_OR_PARTITION" || error === "UNKNOWN_TOPIC_ID") return new UnknownTopic({ topic })
  if (error === "INVALID_TOPIC_EXCEPTION") return new InvalidTopic({ topic, reason: "a topic cannot have this name." })
  return failure(error, topic)
}

/** Fails for a defect as for an unreachable cluster: all callers that share the request must end. */
const withoutDefect = <A>(request: Effect.Effect<A, CallError>, settings: ConnectionSettings): Effect.Effect<A, CallError> =>
  Effect.catchAllDefect(request, (defect) => {
    const unusable = new NotReachable({ addresses: bootstrapNames(settings), reason: defectOf("metadata", defect).message })
    return Effect.andThen(reportDefect("metadata", defect), Effect.fail(unusable))
  })

export const makeMetadata = (settings: ConnectionSettings, pool: Pool, random: SyncRandom): Effect.Effect<MetadataCache> =>
  Effect.gen(function* () {
    let view: ClusterView = emptyView
    const lock = yield* Effect.makeSemaphore(1)
    const looking = new PendingTopics()
    const creating = new PendingTopics()

    const refresh = (topics: Topics, create = false): Effect.Effect<ClusterView, CallError> =>
      Effect.suspend(() => {
        const pending = create ? creating : looking
        const after = pending.add(topics)
        const request = Effect.gen(function* () {
          // The request of another caller may have served these topics while this one waited for the lock.
          if (pending.isServed(topics, after)) return view
          pending.add(topics)
          const { served, topics: taken } = pending.take()
          const response = yield* requestFromAny(settings, pool, candidates(view, settings.bootstrap, random), taken, create)
          view = updated(view, response, taken, yield* Clock.currentTimeMillis)
          served()
          return view
        })
        return lock.withPermits(1)(withoutDefect(request, settings))
      })

    const read = (name: string): Effect.Effect<TopicView, TopicUnavailable> => {
      const topic = view.topics.get(name)
      return topic !== undefined && topic.partitions.length > 0
        ? Effect.succeed(topic)
        : Effect.fail(new TopicUnavailable({ error: view.topicErrors.get(name) ?? "UNKNOWN_TOPIC_OR_PARTITION" }))
    }

    const kindOf = (error: CallError | TopicUnavailable) => {
      if (error._tag === "TopicUnavailable") return isLeadership(error.error) ? "leadership" : undefined
      return error._tag === "NotReachable" ? "connection" : undefined
    }
    const freshTopic = (name: string, create = false, withinMs = settings.unknownTopicTimeoutMs): Effect.Effect<TopicView, TopicError> => {
      return Effect.flatMap(timeLeft(withinMs + settings.callTimeoutMs), (timeoutMs) =>
        Effect.flatMap(refresh([name], create), () => read(name)).pipe(
          retryWithin(Math.min(timeoutMs, withinMs), kindOf),
          Effect.timeoutFail({ duration: timeoutMs, onTimeout: () => noResponse(name, timeoutMs) }),
          Effect.catchTag("TopicUnavailable", ({ error }) => Effect.fail(topicError(error, name)))
        )
      )
    }

    const topic = (name: string, create = false): Effect.Effect<TopicView, TopicError> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const known = view.topics.get(name)
        if (known === undefined) return freshTopic(name, create)
        if (now - known.at < settings.metadataMaxAgeMs) return Effect.succeed(known)
        // Old metadata is better than none while no node responds.
        const asKnown = () => Effect.succeed(known)
        return Effect.catchTags(freshTopic(name, create), { NotReachable: asKnown, RequestTimedOut: asKnown })
      })

    const forget = (name: string): void => {
      view = withoutTopic(view, name)
    }
    return { view: () => view, refresh, topic, freshTopic, forget }
  })
