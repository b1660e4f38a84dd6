import { Effect, Either, Fiber } from "effect"
import { defaultNodeConfig, type NodeConfig } from "../../../../domain/kernel/config.ts"
import { BrokerId, type TopicId } from "../../../../domain/kernel/id.ts"
import { assign, RecordBatch } from "../../../../domain/log/batch.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import type { EpochStart } from "../../../../domain/log/epoch-checkpoint.ts"
import { type DivergingEpoch, divergence, type ReplicaFetch } from "../../../../domain/partition/lead.ts"
import type { DerivedState } from "../../../../src/broker/partition/replica/derived-state.ts"
import { FollowedLog } from "../../../../src/broker/partition/replica/followed-log.ts"
import { type FollowedReplica, Following } from "../../../../src/broker/partition/replica/following.ts"
import type { HighWatermark } from "../../../../src/broker/partition/replica/high-watermark.ts"
import type { Replica } from "../../../../src/broker/partition/replica/replica.ts"
import type { ReplicationServices } from "../../../../src/broker/partition/replica/replication-services.ts"
import { FollowerSession } from "../../../../src/broker/replication/fetch-session.ts"
import { Fetches } from "../../../../src/broker/replication/fetches.ts"
import { fetchesMax } from "../../../../src/broker/replication/rounds.ts"
import type { PartitionLog } from "../../../../src/ports/log-store.ts"
import type { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import type { RequestDraft, ResponseOf } from "../../../../src/protocol/type/wire.ts"
import type { Deadlines } from "../../../../src/serve/deadlines.ts"
import { fetch } from "../../../../src/serve/fetch/fetch.ts"
import type { FetchRequest, FetchResponse } from "../../../../src/serve/fetch/fetch-pass.ts"
import { FetchSessions } from "../../../../src/serve/fetch/fetch-sessions.ts"
import type { ReadablePartition } from "../../../../src/serve/readable.ts"
import { Later } from "../../../../src/wire/later.ts"
import { topicId } from "../../ports/log-batches.ts"
import { batch } from "../support.ts"

const leaderId = BrokerId.make(1)
const followerId = BrokerId.make(2)
const topic = "orders"

interface ModelRecord {
  readonly epoch: number
  readonly value: number
}
const startsOf = (records: ReadonlyArray<ModelRecord>): ReadonlyArray<EpochStart> =>
  records.flatMap(({ epoch }, offset) => (records[offset - 1]?.epoch === epoch ? [] : [{ epoch, offset }]))

/** Fails the test: what two fetches under way must never do. */
class Broken extends Error {}
const broken = (message: string): never => {
  throw new Broken(message)
}

/** A partition of the leader: batches of one record, whose only content is their number. Its leader epochs come one by one, and each may begin with a shorter log. */
class Led implements ReadablePartition {
  readonly topic = topic
  readonly topicId = topicId
  records: Array<ModelRecord> = []
  epoch = 1
  committedEnd = 0
  private readonly wakes = new Set<() => void>()
  private readonly notes = new Set<() => void>()
  /** Called with each fetch that counts. */
  counted: (fetch: ReplicaFetch) => void = () => undefined

  constructor(readonly partition: number) {}

  readonly leaderEpoch = () => this.epoch
  readonly start = () => 0
  readonly end = () => this.records.length
  readonly highWatermark = () => this.records.length
  readonly committed = () => this.committedEnd
  readonly batchAtTime = () => Either.right(undefined)
  readonly read = (from: number) =>
    Either.right(
      this.records.slice(from, from + 2).map(({ epoch, value }, at) => {
        const made = new RecordBatch(batch([String(value)]))
        assign(made, from + at, epoch)
        return made.bytes
      })
    )
  readonly onAdvance = (wake: () => void) => {
    this.wakes.add(wake)
    return () => void this.wakes.delete(wake)
  }
  readonly onCommitted = (note: () => void) => {
    this.notes.add(note)
    return () => void this.notes.delete(note)
  }
  readonly fetchedBy = (asked: ReplicaFetch): DivergingEpoch | undefined => {
    const starts = startsOf(this.records)
    const endOf = (epoch: number): DivergingEpoch | undefined => {
      const found = starts.filter((one) => one.epoch <= epoch).at(-1)
      const next = starts.find((one) => one.epoch > epoch)
      return found === undefined ? undefined : { epoch: found.epoch, endOffset: next?.offset ?? this.records.length }
    }
    const leaves = divergence({ isr: [leaderId, followerId], elr: [] }, endOf, 0, asked)
    if (leaves === undefined) this.counted(asked)
    return leaves
  }

  append(value: number): void {
    this.records.push({ epoch: this.epoch, value })
    this.wake()
  }
  /** Leads under the next epoch, with the log as another leader left it. */
  elected(epoch: number, end: number): void {
    this.records = this.records.slice(0, Math.max(end, 0))
    this.epoch = epoch
    this.wake()
  }
  commit(end: number): void {
    if (end <= this.committedEnd) return
    this.committedEnd = end
    for (const note of this.notes) note()
  }
  private wake(): void {
    for (const each of [...this.wakes]) each()
  }
}

/** A replica over a log whose syncs and cuts end when the test says so. */
class Followed {
  readonly topic = topic
  readonly topicId: TopicId = topicId
  readonly isOffline = false
  readonly isUnwritable = false
  leaderStart = 0
  logStart = 0
  records: Array<ModelRecord> = []
  synced = 0
  following: Following
  readonly followed: FollowedLog
  isHere = true
  /** Called with each record before it is appended. */
  appending: (record: ModelRecord, offset: number) => void = () => undefined

  constructor(
    readonly partition: number,
    private readonly slowly: (done: () => void) => Effect.Effect<void>
  ) {
    const cut = (offset: number) =>
      this.slowly(() => {
        this.records = this.records.slice(0, offset)
        this.synced = this.records.length
      })
    const log = {
      end: () => this.records.length,
      syncedEnd: () => this.synced,
      // A sync covers what was appended before it began.
      sync: Effect.suspend(() => {
        const end = this.records.length
        return this.slowly(() => {
          this.synced = Math.max(this.synced, Math.min(end, this.records.length))
        })
      }),
      truncateTo: cut,
      restartAt: (offset: number) => (offset === 0 ? cut(0) : broken(`orders-${partition} begins anew at ${offset}`)),
      appendAsFollower: (batches: ReadonlyArray<RecordBatch>) => {
        for (const each of batches) this.append(each)
        return Either.void
      }
    }
    const derived = {
      get isEmpty() {
        return log.end() === 0
      },
      lastRecordEpoch: () => this.records.at(-1)?.epoch ?? -1,
      comparedEpochs: () => startsOf(this.records),
      follow: () => undefined,
      refold: () => Effect.void
    }
    this.followed = new FollowedLog(log as unknown as PartitionLog, {
      name: `orders-${partition}`,
      of: { topicId, partition },
      services: { countsUnsynced: false, logSettled: () => undefined, now: () => 0, producerExpirationMs: () => 1 } as unknown as ReplicationServices,
      derived: derived as unknown as DerivedState,
      highWatermark: { get: () => 0, cut: () => undefined, learn: () => false } as unknown as HighWatermark,
      crc32c,
      report: () => undefined,
      failed: (fault) => fault,
      start: () => 0,
      startDropped: () => undefined,
      advanced: () => undefined
    })
    this.following = new Following(this as unknown as FollowedReplica, leaderId, 1, 0)
  }

  readonly start = () => this.logStart
  readonly end = () => this.records.length
  private append({ baseOffset, bytes, partitionLeaderEpoch }: RecordBatch): void {
    if (baseOffset !== this.records.length) broken(`orders-${this.partition} ends at ${this.records.length}, and gets offset ${baseOffset}`)
    const record = { epoch: partitionLeaderEpoch, value: Number(new TextDecoder().decode(bytes.subarray(-4)).replace(/\D/g, "")) }
    this.appending(record, baseOffset)
    this.records.push(record)
  }
  hears(epoch: number): void {
    this.following = new Following(this as unknown as FollowedReplica, leaderId, epoch, this.following.fetches)
  }
}

const concat = (views: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat([...views]))
const noTopicIds = "AAAAAAAAAAAAAAAAAAAAAA"

const toRequest = (draft: RequestDraft<typeof Fetch>): FetchRequest =>
  ({ clusterId: null, replicaId: -1, isolationLevel: 0, rackId: "", forgottenTopicsData: [], ...draft }) as unknown as FetchRequest
const toResponse = ({ responses, ...rest }: FetchResponse): ResponseOf<typeof Fetch> =>
  ({
    overlaps: false,
    ...rest,
    responses: responses.map(({ partitions, topicId: id = noTopicIds }) => ({
      topicId: id,
      partitions: partitions.map((each) => ({
        divergingEpoch: { epoch: -1, endOffset: -1n },
        sparseEnd: 0n,
        logStartOffset: -1n,
        ...each,
        records: each.records === null ? null : concat(each.records as ReadonlyArray<Uint8Array>)
      }))
    }))
  }) as unknown as ResponseOf<typeof Fetch>

/**
 * A follower and the leader of its partitions, with a link between them. All is real but the link, the logs and the records: what is asked (`Fetches`, the
 * session), what the leader answers (its sessions), and the rules of both. Each step of a run is one of `steps`; the test draws their order.
 */
export class OverlappingWorld {
  readonly led: ReadonlyArray<Led>
  readonly followed: ReadonlyArray<Followed>
  readonly steps: Readonly<Record<string, (p: number, n: number) => void>>
  /** Requests that were sent, in all. */
  sent = 0
  /** Records that the leader gave, in all. */
  given = 0
  private taken = 0
  private values = 100
  private readonly epochs: Array<number>
  private readonly session = new FollowerSession({ replicaId: followerId, replicaEpoch: 1n }, defaultNodeConfig)
  private readonly fetches: Fetches
  private readonly serve: (request: FetchRequest) => unknown
  private readonly wire: Array<FetchRequest> = []
  private waiting: { readonly stop: () => void; readonly early: () => unknown } | undefined
  private readonly answers: Array<FetchResponse> = []
  private taking: Fiber.RuntimeFiber<unknown> | undefined
  /** What disks have to do. */
  private readonly slow: Array<() => void> = []
  private syncing = 0
  /** Which partitions were given records, and not named since. */
  private readonly open = new Set<number>()
  fault: string | undefined

  constructor(partitions: number) {
    const slowly = (done: () => void) =>
      Effect.async<void>((resume) => {
        this.slow.push(() => {
          done()
          resume(Effect.void)
        })
      })
    this.led = Array.from({ length: partitions }, (_, partition) => new Led(partition))
    this.followed = Array.from({ length: partitions }, (_, partition) => new Followed(partition, slowly))
    this.epochs = this.led.map(() => 1)
    for (const [p, one] of this.led.entries()) {
      one.counted = (asked) => this.check(() => this.counts(p, asked))
      const replica = this.followed[p] as Followed
      replica.appending = (record, offset) => this.appends(p, record, offset)
    }
    const sessions = new FetchSessions({ slots: 10, now: () => 0, random: () => 0.5 })
    const deadlines = { after: () => ({ cancel: () => undefined }) } as unknown as Deadlines
    const find = (_: unknown, index: number) => this.led[index] ?? "UNKNOWN_TOPIC_ID"
    const handle = fetch({ find, findLeader: () => undefined, clusterId: () => undefined, fetchBytesMax: 1_000_000, sessions, deadlines })
    this.serve = (request) => handle(request, { version: 17, session: { clientHost: "here" } as never })
    this.fetches = new Fetches({
      context: { nodeId: followerId, config: () => ({ ...defaultNodeConfig }) as NodeConfig },
      leader: leaderId,
      replicas: () => this.followed.filter(({ isHere }) => isHere) as unknown as Iterable<Replica>,
      startRose: () => undefined,
      // Pauses after a failure are over at once: the order is the test's.
      clock: { unsafeCurrentTimeNanos: () => BigInt(this.ticks++) * 10_000_000_000n } as never
    })
    this.steps = {
      append: (p) => this.led[p]?.append(this.values++),
      elect: (p, n) => {
        const epoch = (this.epochs[p] as number) + 1
        this.epochs[p] = epoch
        this.led[p]?.elected(epoch, (this.led[p]?.records.length ?? 0) - n)
      },
      hear: (p) => {
        const replica = this.followed[p] as Followed
        if (replica.following.leaderEpoch !== this.epochs[p]) replica.hears(this.epochs[p] as number)
      },
      deleteRecords: (p) => {
        const replica = this.followed[p] as Followed
        if (replica.logStart < replica.synced) replica.logStart++
      },
      leave: (p) => void ((this.followed[p] as Followed).isHere = false),
      enter: (p) => void ((this.followed[p] as Followed).isHere = true),
      send: () => this.send(),
      handle: () => this.handle(),
      take: () => this.take(),
      disk: (_, n) => this.slow.splice(n % Math.max(1, this.slow.length), 1)[0]?.()
    }
  }
  private ticks = 0

  get underWay(): number {
    return this.sent - this.taken
  }
  /** The leader and the follower have nothing to do: one fetch waits at the leader, and all logs are what those of the leader are. */
  get isAtRest(): boolean {
    const isSame = this.led.every(({ records }, p) => JSON.stringify(records) === JSON.stringify(this.followed[p]?.records))
    return isSame && this.waiting !== undefined && this.underWay === 1 && this.slow.length === 0
  }
  /** Ends what has begun, as if nothing else happened. Returns how many requests that took. */
  settle(): Effect.Effect<number> {
    return Effect.gen(this, function* () {
      const before = this.sent
      for (const p of this.led.keys()) {
        this.steps["enter"]?.(p, 0)
        this.steps["hear"]?.(p, 0)
      }
      for (let round = 0; round < 200 && this.fault === undefined; round++) {
        for (const name of ["take", "disk", "send", "handle"]) {
          // A request that waits is left alone, unless another one comes. One that opens the session ends no other one's wait, nor does
          // another one end its: it is answered when its time is over.
          if (name === "handle" && this.waiting !== undefined && this.wire.length === 0 && this.session.mayOverlap) continue
          this.steps[name]?.(0, 0)
          yield* this.turn
        }
      }
      return this.sent - before
    })
  }
  /** Lets fibers run. */
  readonly turn = Effect.forEach([1, 2, 3, 4, 5, 6], () => Effect.yieldNow(), { discard: true })

  private check(rule: () => void): void {
    try {
      rule()
    } catch (cause) {
      this.fault ??= cause instanceof Error ? cause.message : String(cause)
    }
  }

  private send(): void {
    const isSecond = this.underWay > 0
    if (this.underWay >= fetchesMax || (isSecond && !this.session.mayOverlap)) return
    const request = this.fetches.next(this.session, { isSecond, isSyncing: this.syncing > 0, number: this.sent + 1 })
    if (request === undefined) return
    this.sent++
    for (const { partitions } of request.topics)
      for (const { fetchOffset, partition } of partitions) {
        const replica = this.followed[partition] as Followed
        if (Number(fetchOffset) > replica.synced) this.check(() => broken(`orders-${partition}: ${fetchOffset} is named, and ${replica.synced} is synced`))
        if (replica.followed.isChanging) this.check(() => broken(`orders-${partition} is named while it is changed`))
      }
    this.wire.push(toRequest(request))
  }

  /** The leader handles the next request; the one that waits is answered before that. */
  private handle(): void {
    if (this.waiting !== undefined) {
      const { early, stop } = this.waiting
      this.waiting = undefined
      stop()
      this.answer(early() as FetchResponse)
      return
    }
    const request = this.wire.shift()
    if (request === undefined) return
    for (const { partitions } of request.topics) for (const { partition } of partitions) this.open.delete(partition)
    const answer = this.serve(request)
    if (!(answer instanceof Later)) return this.answer(answer as FetchResponse)
    const later = answer as Later<FetchResponse>
    let isReady = false
    const stop = later.begin((make) => {
      isReady = true
      this.waiting = undefined
      this.answer(make() as FetchResponse)
    })
    if (!isReady) this.waiting = { stop, early: later.early ?? (() => broken("it has no early answer")) }
  }
  private answer(response: FetchResponse): void {
    for (const { partitions } of response.responses)
      for (const { partitionIndex, records } of partitions) {
        if (records === null || records.length === 0) continue
        this.given += (records as ReadonlyArray<unknown>).length
        if (this.open.has(partitionIndex)) this.check(() => broken(`orders-${partitionIndex} is given records again, and was not named`))
        this.open.add(partitionIndex)
      }
    this.answers.push(response)
  }

  private take(): void {
    if (this.taking !== undefined) return
    const answer = this.answers.shift()
    if (answer === undefined) return
    if (answer.errorCode !== 0) return this.check(() => broken(`the session ended with error ${answer.errorCode}`))
    const number = this.taken + 1
    this.session.answered(toResponse(answer) as never)
    const work = Effect.flatMap(
      this.fetches.take(toResponse(answer), number, () => this.sent === number),
      (syncs) => {
        this.syncing += syncs.length
        const all = syncs.map((sync) =>
          Effect.zipRight(
            sync,
            Effect.sync(() => void this.syncing--)
          )
        )
        return Effect.map(Effect.forEach(all, Effect.forkDaemon), () => {
          this.taken++
        })
      }
    )
    this.taking = Effect.runFork(work)
    this.taking.addObserver((exit) => {
      this.taking = undefined
      if (exit._tag === "Failure") this.check(() => broken(String(exit.cause)))
    })
  }

  /** A fetch counts: under the leader's epoch, the disk of the follower has all below the offset, as the leader has it. */
  private counts(p: number, { leaderEpoch, offset }: ReplicaFetch): void {
    const { epoch, records } = this.led[p] as Led
    const replica = this.followed[p] as Followed
    if (leaderEpoch !== epoch) return
    if (replica.synced < offset) broken(`orders-${p} counts up to ${offset}, and has ${replica.synced} on its disk`)
    for (let at = 0; at < offset; at++)
      if (records[at]?.value !== replica.records[at]?.value) broken(`orders-${p} counts up to ${offset}, and differs at ${at}`)
    this.led[p]?.commit(offset)
  }
  /** A record is appended under the epoch that both know: it is the leader's. */
  private appends(p: number, record: ModelRecord, offset: number): void {
    const { epoch, records } = this.led[p] as Led
    if (this.followed[p]?.following.leaderEpoch !== epoch) return
    const theirs = records[offset]
    if (theirs?.value !== record.value || theirs.epoch !== record.epoch)
      broken(`orders-${p} appends ${record.value} at ${offset}, where the leader has ${theirs?.value}`)
  }
}
