import { type Clock, Effect, Either } from "effect"
import type { BrokerId, Offset } from "../../../domain/kernel/id.ts"
import type { NextFetch } from "../../../domain/partition/follow.ts"
import { isAbout, type Naming, named as namedBy, wentOn } from "../../../domain/partition/naming.ts"
import type { Fetch } from "../../protocol/message/01-fetch.ts"
import type { RequestDraft, ResponseOf } from "../../protocol/type/wire.ts"
import type { BrokerContext } from "../broker-context.ts"
import type { Following } from "../partition/replica/following.ts"
import type { Replica } from "../partition/replica/replica.ts"
import type { ReplicationQuota } from "../partition/replica/replication-quota.ts"
import { keyOf } from "../partition/topic-id-partition.ts"
import type { FetchedPartition, FollowerSession } from "./fetch-session.ts"
import { answerOf, hasBoundsAlone, type PartitionResponse } from "./leader-response.ts"
import { isStartBehind } from "./log-starts-of-leaders.ts"
import type { NextRequest } from "./rounds.ts"

export interface FetchesParts {
  readonly context: Pick<BrokerContext["Type"], "config" | "nodeId">
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
  readonly clock: Clock.Clock
}

/**
 * Records of a response on average, bytes, up to which fetches overlap. Where more comes the bytes bound the pace, and
 * fetches that name one log each cost processor time on both brokers.
 */
const lightBytesMax = 65_536
/** The share of the last response in that average. */
const shareOfLast = 0.25
/** The first pause after a failure, ms: it doubles up to `replica.fetch.backoff.ms`. */
export const backoffMsMin = 50
const nanosPerMs = 1_000_000n

/** A partition whose fetch is under way, or has its answer. */
interface NamedPartition {
  readonly replica: Replica
  readonly following: Following
  readonly naming: Naming
  /** The start of the own log that the leader knows by it. */
  readonly logStart: Offset
}

/** A partition whose log grew. */
interface Grown {
  readonly key: string
  readonly asked: NamedPartition
}

/** What the next request names. */
interface Due {
  readonly named: ReadonlyMap<string, FetchedPartition>
  /** The partitions that stay in the session. */
  readonly present: ReadonlySet<string>
  /** Consumers of a partition wait for its first answer under a leader epoch, so that the leader answers at once. */
  readonly isAligning: boolean
  /** The leader has the fetch of a partition, and waits for records. */
  readonly isWaiting: boolean
}

/** A partition that failed: it waits by itself, and the others are fetched without it (KIP-461). */
interface Backoff {
  readonly untilMs: number
  readonly waitMs: number
  readonly reason: string
}

/** What a fetcher asks of its replicas, and what it does with the responses; without the link. */
export class Fetches {
  private readonly backoffs = new Map<string, Backoff>()
  private readonly asked = new Map<string, NamedPartition>()
  /** Records of a response that has some, on average, bytes. */
  private recordBytes = 0

  constructor(private readonly parts: FetchesParts) {}

  /** Returns the request to send now, and notes it as sent; undefined: there is nothing to fetch. */
  next(session: FollowerSession, { isSecond, isSyncing, number }: NextRequest): RequestDraft<typeof Fetch> | undefined {
    const { isAligning, isWaiting, named, present } = this.due(number)
    if (named.size === 0) {
      // One is enough to wait at the leader, and one without partitions is answered at once.
      if (isSecond || session.size === 0) return undefined
      // What is synced next is named then: until that, no partition waits for records.
      if (isSyncing && !isWaiting) return undefined
    }
    return session.request(named, present, isAligning ? 0 : this.parts.waitMsMax?.())
  }

  /** Whether little is copied, so that the time until a record is acknowledged counts more than what a fetch costs. */
  get isLight(): boolean {
    return this.recordBytes < lightBytesMax
  }

  private due(number: number): Due {
    const now = this.nowMs()
    const { context, quota } = this.parts
    const named = new Map<string, FetchedPartition>()
    const present = new Set<string>()
    let isAligning = false
    let isWaiting = false
    for (const replica of this.parts.replicas()) {
      const { following, partition, topicId } = replica
      const key = keyOf(replica)
      if (following === undefined || replica.isOffline || (this.backoffs.get(key)?.untilMs ?? 0) > now) continue
      if (quota?.holds(replica, context.nodeId) === true) continue
      present.add(key)
      const logStart = replica.start()
      const asked = this.asked.get(key)
      const before = asked?.following === following ? asked : undefined
      const next = following.fetch() ?? again(before, logStart)
      if (next === undefined) {
        isWaiting ||= isUnderWay(before)
        continue
      }
      if (following.view === undefined) isAligning = true
      named.set(key, { topicId, partition, next, logStart })
      this.asked.set(key, { replica, following, naming: namedBy(before?.naming, next, number), logStart })
    }
    // What left this lane without an answer is fetched by the fetcher of the other one.
    for (const [key, { following, naming }] of this.asked)
      if (!present.has(key)) {
        following.failed(naming.sent)
        this.asked.delete(key)
      }
    return { named, present, isAligning, isWaiting }
  }

  /**
   * Applies the response to the request of this number. Returns the syncs of the logs that grew: the new end of each is named after its sync. `isLatest`:
   * no later request is under way.
   */
  take({ responses }: Pick<ResponseOf<typeof Fetch>, "responses">, number: number, isLatest: () => boolean): Effect.Effect<ReadonlyArray<Effect.Effect<void>>> {
    const partitions = responses.flatMap(({ partitions: each, topicId }) => each.map((answer) => ({ key: `${topicId}-${answer.partitionIndex}`, answer })))
    const bytes = partitions.reduce((sum, { answer }) => sum + (answer.records?.length ?? 0), 0)
    if (bytes > 0) this.recordBytes += (bytes - this.recordBytes) * shareOfLast
    const taken = Effect.forEach(partitions, ({ answer, key }) => {
      const asked = this.answeredBy(key, number)
      if (asked === undefined) return Effect.succeed(undefined)
      return Effect.map(this.apply(key, asked, answer), (grown) => {
        if (grown === undefined && hasBoundsAlone(answer) && !isLatest()) this.goOn(key, asked)
        return grown
      })
    })
    const syncOf = ({ asked, key }: Grown) => Effect.asVoid(this.guarded(key, asked, asked.following.sync))
    return Effect.map(taken, (all) => all.filter((each) => each !== undefined).map(syncOf))
  }

  /**
   * Returns the partition if the response to the request of this number is about its fetch that is under way. What a later request named is answered by a
   * later response, and what is not under way has its answer.
   */
  answeredBy(key: string, number: number): NamedPartition | undefined {
    const asked = this.asked.get(key)
    return asked !== undefined && isAbout(asked.naming, number) && isUnderWay(asked) ? asked : undefined
  }

  /** The session continues with the partition, for the request that is under way. */
  private goOn(key: string, asked: NamedPartition): void {
    const { following, naming } = asked
    if (this.asked.get(key) !== asked || this.backoffs.has(key)) return
    const next = following.fetch()
    const after = next && wentOn(naming, next)
    if (after !== undefined) this.asked.set(key, { ...asked, naming: after })
    else if (next !== undefined) following.failed(next)
  }

  private apply(key: string, asked: NamedPartition, answer: PartitionResponse): Effect.Effect<Grown | undefined> {
    const said = answerOf(answer)
    if (Either.isLeft(said)) return Effect.as(this.failed(key, asked, said.left), undefined)
    const applied = Effect.map(asked.following.answered(asked.naming.sent, said.right), (hasGrown) => {
      this.backoffs.delete(key)
      this.parts.quota?.took(asked.replica, this.parts.context.nodeId, answer.records?.length ?? 0)
      asked.replica.leaderStart = Number(answer.logStartOffset)
      if (isStartBehind(asked.replica)) this.parts.startRose()
      return hasGrown ? { key, asked } : undefined
    })
    return this.guarded(key, asked, applied)
  }

  private guarded<A>(key: string, asked: NamedPartition, work: Effect.Effect<A, { readonly message: string }>): Effect.Effect<A | undefined> {
    return Effect.catchAll(work, ({ message }) => Effect.as(this.failed(key, asked, message), undefined))
  }

  private failed(key: string, { following, naming, replica }: NamedPartition, reason: string): Effect.Effect<void> {
    following.failed(naming.sent)
    const before = this.backoffs.get(key)
    const waitMsMax = Math.max(backoffMsMin, this.parts.context.config()["replica.fetch.backoff.ms"])
    const waitMs = Math.min(waitMsMax, (before?.waitMs ?? backoffMsMin / 2) * 2)
    this.backoffs.set(key, { untilMs: this.nowMs() + waitMs, waitMs, reason })
    if (before?.reason === reason) return Effect.void
    return Effect.logDebug(`${replica.topic}-${replica.partition} cannot be fetched from broker ${this.parts.leader}; it is tried again: ${reason}`)
  }

  /** Fetches that were under way on a link that was lost are sent again. */
  reset(): void {
    for (const { following, naming } of this.asked.values()) following.failed(naming.sent)
    this.asked.clear()
  }

  private nowMs(): number {
    return Number(this.parts.clock.unsafeCurrentTimeNanos() / nanosPerMs)
  }
}

const isUnderWay = (asked: NamedPartition | undefined): boolean => asked?.following.isUnderWay(asked.naming.sent) === true

/** A fetch that has no answer is named again with a new start of the log: DeleteRecords waits for it at the leader. */
const again = (asked: NamedPartition | undefined, logStart: Offset): NextFetch | undefined =>
  asked !== undefined && asked.logStart < logStart && isUnderWay(asked) ? asked.naming.sent : undefined
