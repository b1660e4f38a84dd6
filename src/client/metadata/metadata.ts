import { Clock, Effect } from "effect"
import { type KafkaError, kafkaError } from "../../../domain/kernel/error-code.ts"
import type { Address } from "../../ports/transport.ts"
import { Metadata } from "../../protocol/message/03-metadata.ts"
import type { ResponseOf } from "../../protocol/type/wire.ts"
import type { Pool } from "../connection/pool.ts"
import { type CallError, failure, InvalidTopic, KafkaFailure, type NotAuthorized, NotReachable, RequestTimedOut, UnknownTopic } from "../error.ts"
import { bootstrapNames, type Connecting } from "../options.ts"
import type { Dice } from "../runtime/dice.ts"
import { isLeadership, retryWithin } from "../runtime/retry.ts"
import { defectOf, reportDefect } from "../runtime/supervision.ts"
import { type ClusterView, forget, learn, nothingKnown, type TopicView } from "./view.ts"

export type TopicError = CallError | UnknownTopic | InvalidTopic | NotAuthorized
/** Topics to ask for: by name, all there are, or none ([]: the nodes alone). */
export type Topics = ReadonlyArray<string> | "all"

/** What the client knows of the cluster, asked once and kept. */
export interface MetadataCache {
  readonly view: () => ClusterView
  /** Asks the cluster. Callers at the same time share a request. `create`: the cluster may make topics that it does not have (auto.create.topics.enable). */
  readonly refresh: (topics: Topics, create?: boolean) => Effect.Effect<ClusterView, CallError>
  /** The topic, from the cache where it is younger than the maximum age; waits for one that is being made up to `unknownTopicTimeoutMs`. */
  readonly topic: (name: string, create?: boolean) => Effect.Effect<TopicView, TopicError>
  /** As `topic`, but asks in any case, and waits for `withinMs` at most. */
  readonly freshTopic: (name: string, create?: boolean, withinMs?: number) => Effect.Effect<TopicView, TopicError>
  readonly forget: (name: string) => void
}

/** The questions that wait for their turn, so that one request takes them all, and which request answered what. */
class Questions {
  private readonly waiting = new Set<string>()
  private waitingAll = false
  private requests = 0
  private readonly answered = new Map<string, number>()
  private answeredAll = 0

  /** Notes a question; the answer must come from a request that begins after it. */
  note(topics: Topics): number {
    if (topics === "all") this.waitingAll = true
    else for (const name of topics) this.waiting.add(name)
    return this.requests
  }
  isAnswered(topics: Topics, after: number): boolean {
    if (topics === "all") return this.answeredAll > after
    return this.requests > after && topics.every((name) => Math.max(this.answered.get(name) ?? 0, this.answeredAll) > after)
  }
  /** What the next request asks: everything that waits. */
  take(): { readonly topics: Topics; readonly answered: () => void } {
    const topics = this.waitingAll ? ("all" as const) : [...this.waiting]
    this.waiting.clear()
    this.waitingAll = false
    const nth = this.requests + 1
    this.requests = nth
    const answered = () => {
      if (topics === "all") this.answeredAll = nth
      else for (const name of topics) this.answered.set(name, nth)
    }
    return { topics, answered }
  }
}

class TopicNotThere {
  readonly _tag = "TopicNotThere"
  constructor(readonly error: KafkaError) {}
}

/** Nodes that are known, in an order of chance so that many clients spread, and then those that the user named. */
const places = (view: ClusterView, bootstrap: ReadonlyArray<Address>, dice: Dice): ReadonlyArray<Address> => {
  const known = [...view.nodes.values()].map(({ address }) => ({ address, at: dice.next() }))
  return [...known.sort((a, b) => a.at - b.at).map(({ address }) => address), ...bootstrap]
}

type Answer = ResponseOf<typeof Metadata>

const unanswered = (topic: string, timeoutMs: number) => new RequestTimedOut({ what: `Looking up '${topic}'`, timeoutMs, reason: "no node answered." })

/** Asks one place after another until one answers with at least one node. */
const askSomewhere = (options: Connecting, pool: Pool, from: ReadonlyArray<Address>, topics: Topics, create: boolean): Effect.Effect<Answer, CallError> =>
  Effect.gen(function* () {
    const nobody = (reason: string) => new NotReachable({ addresses: bootstrapNames(options), reason })
    let last: CallError = nobody("no address was tried")
    for (const address of from) {
      const request = { topics: topics === "all" ? null : topics.map((name) => ({ name })), allowAutoTopicCreation: create }
      const answer = yield* Effect.either(pool.call(address, Metadata, request))
      if (answer._tag === "Left") {
        last = answer.left
        if (last._tag === "UnsupportedByCluster") break
        continue
      }
      const error = kafkaError(answer.right.errorCode)
      if (error === "NONE" && answer.right.brokers.length > 0) return answer.right
      last = error === "NONE" ? nobody("no broker of the cluster is ready yet") : new KafkaFailure({ error, what: "Metadata", detail: null })
    }
    return yield* Effect.fail(last._tag === "NotReachable" ? nobody(last.reason) : last)
  })

const topicError = (error: KafkaError, topic: string): TopicError => {
  if (error === "UNKNOWN_TOPIC_OR_PARTITION" || error === "UNKNOWN_TOPIC_ID") return new UnknownTopic({ topic })
  if (error === "INVALID_TOPIC_EXCEPTION") return new InvalidTopic({ topic, reason: "this is not a name that a topic may have." })
  return failure(error, topic)
}

/** Callers wait for the answer together: they must hear of a defect as of any other failure. */
const withoutDefect = <A>(ask: Effect.Effect<A, CallError>, options: Connecting): Effect.Effect<A, CallError> =>
  Effect.catchAllDefect(ask, (defect) => {
    const unusable = new NotReachable({ addresses: bootstrapNames(options), reason: defectOf("metadata", defect).message })
    return Effect.andThen(reportDefect("metadata", defect), Effect.fail(unusable))
  })

export const makeMetadata = (options: Connecting, pool: Pool, dice: Dice): Effect.Effect<MetadataCache> =>
  Effect.gen(function* () {
    let view: ClusterView = nothingKnown
    const turn = yield* Effect.makeSemaphore(1)
    const plain = new Questions()
    const creating = new Questions()

    const refresh = (topics: Topics, create = false): Effect.Effect<ClusterView, CallError> =>
      Effect.suspend(() => {
        const questions = create ? creating : plain
        const after = questions.note(topics)
        const ask = Effect.gen(function* () {
          // Another's request may have taken this question along while it waited for its turn.
          if (questions.isAnswered(topics, after)) return view
          questions.note(topics)
          const taken = questions.take()
          const answer = yield* askSomewhere(options, pool, places(view, options.bootstrap, dice), taken.topics, create)
          view = learn(view, answer, taken.topics, yield* Clock.currentTimeMillis)
          taken.answered()
          return view
        })
        return turn.withPermits(1)(withoutDefect(ask, options))
      })

    const read = (name: string): Effect.Effect<TopicView, TopicNotThere> => {
      const topic = view.topics.get(name)
      return topic !== undefined && topic.partitions.length > 0
        ? Effect.succeed(topic)
        : Effect.fail(new TopicNotThere(view.topicErrors.get(name) ?? "UNKNOWN_TOPIC_OR_PARTITION"))
    }

    const kindOf = (error: CallError | TopicNotThere) => {
      if (error._tag === "TopicNotThere") return isLeadership(error.error) ? "leadership" : undefined
      return error._tag === "NotReachable" ? "connection" : undefined
    }
    const freshTopic = (name: string, create = false, withinMs = options.unknownTopicTimeoutMs): Effect.Effect<TopicView, TopicError> =>
      Effect.flatMap(refresh([name], create), () => read(name)).pipe(
        retryWithin(withinMs, kindOf),
        Effect.timeoutFail({ duration: withinMs + options.callTimeoutMs, onTimeout: () => unanswered(name, withinMs + options.callTimeoutMs) }),
        Effect.mapError((error) => (error._tag === "TopicNotThere" ? topicError(error.error, name) : error))
      )

    const topic = (name: string, create = false): Effect.Effect<TopicView, TopicError> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const known = view.topics.get(name)
        if (known === undefined) return freshTopic(name, create)
        if (now - known.at < options.metadataMaxAgeMs) return Effect.succeed(known)
        // What is old is better than nothing while nobody answers.
        const asKnown = () => Effect.succeed(known)
        return Effect.catchTags(freshTopic(name, create), { NotReachable: asKnown, RequestTimedOut: asKnown })
      })

    return {
      view: () => view,
      refresh,
      topic,
      freshTopic,
      forget: (name) => {
        view = forget(view, name)
      }
    }
  })
