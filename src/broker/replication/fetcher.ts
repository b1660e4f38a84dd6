import { type Clock, Data, Effect, Either, Schedule, type Scope } from "effect"
import { brokerOf } from "../../../domain/cluster/state.ts"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import type { BrokerId, Offset } from "../../../domain/kernel/id.ts"
import { readableBatches } from "../../../domain/log/batch.ts"
import type { NextFetch } from "../../../domain/partition/follow.ts"
import { type ConnectFault, formatAddress, Transport } from "../../ports/transport.ts"
import { Fetch } from "../../protocol/message/01-fetch.ts"
import type { RequestDraft, ResponseOf } from "../../protocol/type/wire.ts"
import type { CallFault } from "../../wire/fault.ts"
import { connect, type Link } from "../../wire/link.ts"
import type { BrokerContext } from "../broker-context.ts"
import type { Following, LeaderResponse } from "../partition/replica/following.ts"
import type { Replica } from "../partition/replica/replica.ts"
import type { ReplicationQuota } from "../partition/replica/replication-quota.ts"
import { keyOf } from "../partition/topic-id-partition.ts"
import { FetchPatience } from "./fetch-patience.ts"
import { type FetchedPartition, FollowerSession } from "./fetch-session.ts"
import { isStartBehind } from "./log-starts-of-leaders.ts"

/** Why nothing can be fetched from a broker now. */
class NotFetching extends Data.TaggedError("NotFetching")<{ readonly message: string }> {}

type FetchFault = NotFetching | ConnectFault | CallFault

interface FetcherParts {
  readonly context: BrokerContext["Type"]
  /** The broker whose partitions are followed. */
  readonly leader: BrokerId
  /** The replicas that follow it now. */
  readonly replicas: () => Iterable<Replica>
  /** Bounds the bytes that it copies: only where its replicas catch up. */
  readonly quota?: ReplicationQuota | undefined
  /** The longest wait of a fetch at the leader, ms, where it is shorter than `replica.fetch.wait.max.ms`. */
  readonly waitMsMax?: (() => number) | undefined
  /** The log of the leader starts later than that of its follower. */
  readonly startRose: () => void
  /** The epoch of this broker's registration. */
  readonly brokerEpoch: () => number | undefined
  readonly transport: Transport["Type"]
  readonly clock: Clock.Clock
}

const connectTimeoutMs = 3000
/** What the response to a fetch may have beyond `replica.fetch.response.max.bytes`: its first batch, and the frame. */
const moreResponseBytesMax = 64 * 1024 * 1024
const inFlightRequestsMax = 2
/** The first pause after a failure, ms: it doubles up to `replica.fetch.backoff.ms`. */
const backoffMsMin = 50
const reconnecting = (backoffMsMax: number) =>
  Schedule.exponential(backoffMsMin).pipe(Schedule.union(Schedule.spaced(backoffMsMax)), Schedule.jitteredWith({ min: 0.5, max: 1 }))
const afterLoss = Schedule.spaced(backoffMsMin).pipe(Schedule.jitteredWith({ min: 0.5, max: 1 }))
const nanosPerMs = 1_000_000n

type PartitionResponse = ResponseOf<typeof Fetch>["responses"][number]["partitions"][number]

/** A partition whose fetch is under way. */
interface Pending {
  readonly replica: Replica
  readonly following: Following
  readonly sent: NextFetch
  /** The start of the own log that the leader knows by it. */
  readonly logStart: Offset
}

/** A partition that failed: it waits by itself, and the others are fetched without it (KIP-461). */
interface Backoff {
  readonly untilMs: number
  readonly waitMs: number
  readonly reason: string
}

const noBytes = new Uint8Array(0)

/** Fetches the partitions that one other broker leads, over one link: fetch, append, sync, and name the new offsets in the next fetch. */
export class Fetcher {
  private readonly backoffs = new Map<string, Backoff>()
  private readonly asked = new Map<string, Pending>()
  private isReachable: boolean | undefined
  /** Whether the leader has answered a fetch since the last attempt to connect. */
  private hasFetched = false
  private readonly backoffMsMax: number
  private readonly patience: FetchPatience

  constructor(private readonly parts: FetcherParts) {
    const config = parts.context.config()
    this.backoffMsMax = Math.max(backoffMsMin, config["replica.fetch.backoff.ms"])
    this.patience = new FetchPatience(config)
  }

  /** Fetches until it is interrupted. A link that is lost is opened again. */
  get run(): Effect.Effect<never> {
    const { transport } = this.parts
    const connected = Effect.scoped(
      Effect.zipRight(
        this.registered,
        Effect.flatMap(this.open, (link) => this.over(link))
      )
    ).pipe(Effect.tapError(({ message }) => this.lost(message)))
    // The pause grows while the leader answers nothing. The loss of a link that worked begins it anew.
    const untilLost = Effect.retry(connected, { schedule: reconnecting(this.backoffMsMax), while: () => !this.hasFetched })
    return Effect.retry(untilLost, afterLoss).pipe(
      Effect.provideService(Transport, transport),
      Effect.orDie,
      // Another fetcher may have the partitions next.
      Effect.ensuring(Effect.sync(() => this.resetAsked()))
    )
  }

  /** A broker that starts has replicas before it has registered: that is no fault of the other broker. */
  private readonly registered: Effect.Effect<void> = Effect.suspend(() => {
    this.hasFetched = false
    return this.parts.brokerEpoch() === undefined ? Effect.delay(this.registered, backoffMsMin) : Effect.void
  })
  private readonly open: Effect.Effect<Link, FetchFault, Transport | Scope.Scope> = Effect.suspend(
    (): Effect.Effect<Link, FetchFault, Transport | Scope.Scope> => {
      const { context, leader } = this.parts
      const broker = brokerOf(context.cluster(), leader)
      if (broker === undefined) return Effect.fail(new NotFetching({ message: `broker ${leader} is not registered` }))
      const clientId = `broker-${context.nodeId}-fetcher-${leader}`
      const config = context.config()
      const requestTimeoutMs = Math.max(1, config["replica.socket.timeout.ms"])
      const responseBytesMax = config["replica.fetch.response.max.bytes"] + moreResponseBytesMax
      return connect({ host: broker.host, port: broker.port }, { clientId, connectTimeoutMs, requestTimeoutMs, responseBytesMax, inFlightRequestsMax })
    }
  )

  private over(link: Link): Effect.Effect<never, FetchFault> {
    return Effect.suspend(() => {
      this.resetAsked()
      const epoch = this.parts.brokerEpoch()
      if (epoch === undefined) return Effect.fail(new NotFetching({ message: "this broker has not registered yet" }))
      const { context } = this.parts
      const session = new FollowerSession({ replicaId: context.nodeId, replicaEpoch: BigInt(epoch) }, context.config())
      const isCurrent = Effect.suspend(() =>
        this.parts.brokerEpoch() === epoch ? Effect.void : Effect.fail(new NotFetching({ message: "this broker has registered again" }))
      )
      return Effect.zipRight(this.reached(link), Effect.forever(Effect.zipRight(isCurrent, this.round(link, session))))
    })
  }

  /** One fetch and what follows from it. */
  private round(link: Link, session: FollowerSession): Effect.Effect<void, FetchFault> {
    return Effect.suspend(() => {
      const { isAligning, named, present } = this.due()
      // A fetch without partitions is answered at once.
      if (named.size === 0 && session.size === 0) return Effect.sleep(backoffMsMin)
      const waitMsMax = isAligning ? 0 : this.parts.waitMsMax?.()
      return Effect.flatMap(this.call(link, session.request(named, present, waitMsMax)), (answer) => {
        const error = kafkaError(answer.errorCode)
        if (error !== "NONE") return Effect.fail(new NotFetching({ message: `broker ${this.parts.leader} ended the fetch session: ${error}` }))
        session.answered(answer.sessionId)
        this.hasFetched = true
        // A log that has grown is synced, whatever becomes of this fetcher: its follower does not fetch before.
        return Effect.uninterruptible(this.take(answer))
      })
    })
  }

  private call(link: Link, request: RequestDraft<typeof Fetch>): Effect.Effect<ResponseOf<typeof Fetch>, CallFault> {
    const sentMs = this.nowMs()
    return Effect.tapBoth(link.call(Fetch, request, { timeoutMs: this.patience.timeoutMs }), {
      onSuccess: () => Effect.sync(() => this.patience.took(this.nowMs() - sentMs)),
      onFailure: ({ _tag }) => Effect.sync(() => (_tag === "CallTimeout" ? this.patience.overdue() : undefined))
    })
  }

  /**
   * The partitions that are to be named, and those that stay in the session. `isAligning`: consumers of one of them wait
   * for its first answer under a leader epoch, so that the leader answers at once.
   */
  private due(): { readonly named: ReadonlyMap<string, FetchedPartition>; readonly present: ReadonlySet<string>; readonly isAligning: boolean } {
    const now = this.nowMs()
    const { context, quota } = this.parts
    const named = new Map<string, FetchedPartition>()
    const present = new Set<string>()
    let isAligning = false
    for (const replica of this.parts.replicas()) {
      const { following, partition, topicId } = replica
      const key = keyOf(replica)
      if (following === undefined || replica.isOffline || (this.backoffs.get(key)?.untilMs ?? 0) > now) continue
      if (quota?.holds(replica, context.nodeId) === true) continue
      present.add(key)
      const logStart = replica.start()
      const next = following.fetch() ?? this.again(key, following, logStart)
      if (next === undefined) continue
      if (following.view === undefined) isAligning = true
      named.set(key, { topicId, partition, next, logStart })
      this.asked.set(key, { replica, following, sent: next, logStart })
    }
    // What left this lane without an answer is fetched by the fetcher of the other one.
    for (const [key, { following, sent }] of this.asked)
      if (!present.has(key)) {
        following.failed(sent)
        this.asked.delete(key)
      }
    return { named, present, isAligning }
  }

  /** A fetch that has no answer is named again with a new start of the log: DeleteRecords waits for it at the leader. */
  private again(key: string, following: Following, logStart: Offset): NextFetch | undefined {
    const asked = this.asked.get(key)
    return asked?.following === following && asked.logStart < logStart && following.isUnderWay(asked.sent) ? asked.sent : undefined
  }

  private take({ responses }: ResponseOf<typeof Fetch>): Effect.Effect<void> {
    const partitions = responses.flatMap(({ partitions: each, topicId }) => each.map((answer) => ({ key: `${topicId}-${answer.partitionIndex}`, answer })))
    return Effect.forEach(partitions, ({ answer, key }) => {
      const asked = this.asked.get(key)
      return asked === undefined ? Effect.succeed(undefined) : this.apply(key, asked, answer)
    }).pipe(
      // Every log that grew is synced before its new offset is named: a replica counts for what it has synced.
      Effect.flatMap((grown) =>
        Effect.forEach(
          grown.filter((each) => each !== undefined),
          ({ asked, key }) => this.guarded(key, asked, asked.following.sync),
          { concurrency: "unbounded", discard: true }
        )
      )
    )
  }

  private apply(key: string, asked: Pending, answer: PartitionResponse) {
    const said = answerOf(answer)
    if (Either.isLeft(said)) return Effect.as(this.failed(key, asked, said.left), undefined)
    const applied = Effect.map(asked.following.answered(asked.sent, said.right), (hasGrown) => {
      this.backoffs.delete(key)
      this.parts.quota?.took(asked.replica, this.parts.context.nodeId, answer.records?.length ?? 0)
      asked.replica.leaderStart = Number(answer.logStartOffset)
      if (isStartBehind(asked.replica)) this.parts.startRose()
      return hasGrown ? { key, asked } : undefined
    })
    return this.guarded(key, asked, applied)
  }

  private guarded<A>(key: string, asked: Pending, work: Effect.Effect<A, { readonly message: string }>): Effect.Effect<A | undefined> {
    return Effect.catchAll(work, ({ message }) => Effect.as(this.failed(key, asked, message), undefined))
  }

  private failed(key: string, { following, replica, sent }: Pending, reason: string): Effect.Effect<void> {
    following.failed(sent)
    const before = this.backoffs.get(key)
    const waitMs = Math.min(this.backoffMsMax, (before?.waitMs ?? backoffMsMin / 2) * 2)
    this.backoffs.set(key, { untilMs: this.nowMs() + waitMs, waitMs, reason })
    if (before?.reason === reason) return Effect.void
    return Effect.logDebug(`${replica.topic}-${replica.partition} cannot be fetched from broker ${this.parts.leader}; it is tried again: ${reason}`)
  }

  /** Fetches that were under way on a link that was lost are sent again. */
  private resetAsked(): void {
    for (const { following, sent } of this.asked.values()) following.failed(sent)
    this.asked.clear()
  }

  private nowMs(): number {
    return Number(this.parts.clock.unsafeCurrentTimeNanos() / nanosPerMs)
  }

  private reached(link: Link): Effect.Effect<void> {
    return Effect.suspend(() => {
      const before = this.isReachable
      this.isReachable = true
      const line = `Broker ${this.parts.context.nodeId} fetches from broker ${this.parts.leader} at ${formatAddress(link.address)}.`
      return before === false ? Effect.logInfo(line) : before === undefined ? Effect.logDebug(line) : Effect.void
    })
  }
  private lost(message: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.resetAsked()
      const before = this.isReachable
      this.isReachable = false
      if (before === false) return Effect.void
      return Effect.logWarning(`Broker ${this.parts.context.nodeId} cannot fetch from broker ${this.parts.leader}; it tries again: ${message}`)
    })
  }
}

/** What an answer says; or its error. */
const answerOf = ({
  divergingEpoch,
  errorCode,
  highWatermark,
  logStartOffset,
  records,
  sparseEnd
}: PartitionResponse): Either.Either<LeaderResponse, string> => {
  const error = kafkaError(errorCode)
  const logStart = Number(logStartOffset)
  if (error === "OFFSET_OUT_OF_RANGE") return Either.right({ _tag: "out of range", logStart })
  if (error !== "NONE") return Either.left(error)
  if (divergingEpoch.endOffset >= 0n)
    return Either.right({ _tag: "diverging", diverging: { epoch: divergingEpoch.epoch, endOffset: Number(divergingEpoch.endOffset) } })
  return Either.mapBoth(readableBatches(records ?? noBytes), {
    onLeft: ({ message }) => message,
    onRight: (batches) => ({
      _tag: "records" as const,
      highWatermark: Number(highWatermark),
      logStart,
      count: batches.length,
      batches,
      sparseEnd: Number(sparseEnd)
    })
  })
}
