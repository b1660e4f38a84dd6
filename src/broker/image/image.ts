import { type Context, Deferred, Effect, Either, type Scope } from "effect"
import { Event } from "../../../domain/cluster/event.ts"
import { evolve } from "../../../domain/cluster/evolve.ts"
import { type Cluster, initial } from "../../../domain/cluster/state.ts"
import { metadataTopic, metadataTopicId } from "../../../domain/cluster/topic/name.ts"
import { decodeEvents } from "../../../domain/kernel/decode-events.ts"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import type { TopicId } from "../../../domain/kernel/id.ts"
import { type RecordBatch, readableBatches, verify } from "../../../domain/log/batch.ts"
import { decodeRecords, type Record } from "../../../domain/log/record.ts"
import { Checksum } from "../../ports/checksum.ts"
import { LogStore } from "../../ports/log-store.ts"
import type { Transport } from "../../ports/transport.ts"
import { Fetch } from "../../protocol/message/01-fetch.ts"
import type { RequestDraft, ResponseOf } from "../../protocol/type/wire.ts"
import type { CallFault } from "../../wire/fault.ts"
import type { Link } from "../../wire/link.ts"
import { BrokerFault } from "../fault.ts"
import { type LeaderContact, type LeaderRefused, leaderRefused } from "../leader-contact.ts"

export interface Image {
  /** The fold of every event read so far. */
  readonly cluster: () => Cluster
  /** Topics that were removed, as far back as the journal says. */
  readonly removed: ReadonlySet<TopicId>
  /** The journal names the cluster in its first event, and the data directory is claimed for it. */
  readonly founded: Effect.Effect<string>
  /** Every event that the leader had when it was first asked is folded. */
  readonly caughtUp: Effect.Effect<void>
  /** Calls `listener` after each run of events; answers how to stop that. */
  readonly onChange: (listener: () => void) => () => void
  /** Follows the leader until it is interrupted, or until it meets what it cannot go on from. */
  readonly follow: Effect.Effect<never, BrokerFault, Transport>
}

export interface ImageOptions {
  readonly nodeId: number
  readonly contact: LeaderContact
  /** Called after each run of events has been folded. */
  readonly onEvents: (events: ReadonlyArray<Event>) => void
}

/** A fetch waits so long at the leader for the next event. */
const waitMs = 5000
/** Journal bytes read at a time, so that a long replay leaves the loop free in between. */
const bytesMax = 262_144

const decodeEvent = decodeEvents(Event)
const utf8 = new TextDecoder("utf-8", { fatal: true })
const textOf = (bytes: Uint8Array | null): string => (bytes === null ? "" : new TextDecoder().decode(bytes))

const parse = (record: Record): Either.Either<Event, BrokerFault> =>
  Either.try({ try: () => JSON.parse(utf8.decode(record.value ?? new Uint8Array(0))) as unknown, catch: String }).pipe(
    Either.flatMap((json) => Either.mapLeft(decodeEvent(json), ({ message }) => message)),
    Either.mapLeft(
      (reason) =>
        new BrokerFault({
          kind: "unreadable event",
          message: `${metadataTopic}: event ${record.offset} of type ${textOf(record.key)} cannot be read by this version: ${reason}. Nothing is skipped; start a version that knows it.`
        })
    )
  )

/** So often the same events may come damaged, each time over a new connection, before this broker stops. */
const damagedMax = 5

class Follower {
  cluster: Cluster = initial
  /** How often what comes after `damagedAt` came damaged, one time after the other. */
  private damagedCount = 0
  private damagedAt = -1
  readonly removed = new Set<TopicId>()
  readonly listeners = new Set<() => void>()

  constructor(
    private readonly options: ImageOptions,
    private readonly store: Context.Tag.Service<typeof LogStore>,
    private readonly checksum: Context.Tag.Service<typeof Checksum>,
    private readonly founded: Deferred.Deferred<string>,
    private readonly caughtUp: Deferred.Deferred<void>
  ) {}

  /** One connection's life: fetch, fold, fetch. */
  readonly over = (link: Link): Effect.Effect<never, CallFault | LeaderRefused | BrokerFault> =>
    Effect.zipRight(this.options.contact.introduce(link), Effect.forever(Effect.suspend(() => this.step(link))))

  private step(link: Link): Effect.Effect<void, CallFault | LeaderRefused | BrokerFault> {
    return Effect.flatMap(link.call(Fetch, this.request(), { timeoutMs: waitMs + this.options.contact.options.requestTimeoutMs }), (answer) =>
      this.take(answer)
    )
  }

  private request(): RequestDraft<typeof Fetch> {
    const partition = { partition: 0, fetchOffset: BigInt(this.cluster.index), partitionMaxBytes: bytesMax }
    return {
      clusterId: this.cluster.clusterId ?? null,
      maxWaitMs: waitMs,
      minBytes: 1,
      maxBytes: bytesMax,
      topics: [{ topic: metadataTopic, topicId: metadataTopicId, partitions: [partition] }]
    }
  }

  private take(answer: ResponseOf<typeof Fetch>): Effect.Effect<void, LeaderRefused | BrokerFault> {
    const partition = answer.responses[0]?.partitions[0]
    const error = kafkaError(answer.errorCode === 0 ? (partition?.errorCode ?? 0) : answer.errorCode)
    const address = `${this.options.contact.options.leader.host}:${this.options.contact.options.leader.port}`
    if (error === "INCONSISTENT_CLUSTER_ID") return this.foreign(`The node at ${address} leads another cluster than ${this.cluster.clusterId}.`)
    if (error === "OFFSET_OUT_OF_RANGE")
      return Effect.fail(
        new BrokerFault({
          kind: "lost events",
          message: `The journal of the leader at ${address} does not have event ${this.cluster.index}, which comes next here: it was replaced by another or an older one. Give the leader its own data directory back, then start this broker again.`
        })
      )
    if (error !== "NONE" || partition === undefined) return leaderRefused(`The node at ${address} does not give its journal: ${error}. Is it the leader?`)
    return this.fold(partition.records ?? new Uint8Array(0), Number(partition.highWatermark))
  }

  private fold(bytes: Uint8Array, highWatermark: number): Effect.Effect<void, LeaderRefused | BrokerFault> {
    const batches = readableBatches(bytes)
    if (Either.isLeft(batches)) return this.damaged(batches.left.message)
    const events: Array<Event> = []
    // What was folded before the damage is not asked for again: the others must hear of it now.
    const until = (fault: Effect.Effect<never, LeaderRefused | BrokerFault>) => Effect.zipRight(this.after(events, Number.POSITIVE_INFINITY), fault)
    for (const batch of batches.right) {
      const records = this.records(batch)
      if (Either.isLeft(records)) return until(records.left)
      for (const record of records.right) {
        // A batch may begin before the event that was asked for.
        if (record.offset < this.cluster.index) continue
        const event = parse(record)
        if (Either.isLeft(event)) return until(Effect.fail(event.left))
        this.cluster = evolve(this.cluster, event.right)
        if (event.right._tag === "TopicRemoved") this.removed.add(event.right.topicId)
        events.push(event.right)
      }
    }
    return Effect.suspend(() => this.after(events, highWatermark))
  }

  /** Damage on the way is gone with the connection that it came over; what comes damaged again and again is so at the leader. */
  private damaged(what: string): Effect.Effect<never, LeaderRefused | BrokerFault> {
    return Effect.suspend((): Effect.Effect<never, LeaderRefused | BrokerFault> => {
      const { host, port } = this.options.contact.options.leader
      const { index } = this.cluster
      this.damagedCount = this.damagedAt === index ? this.damagedCount + 1 : 1
      this.damagedAt = index
      const message = `${metadataTopic}: the journal of the leader at ${host}:${port} came damaged after event ${index - 1}: ${what}.`
      if (this.damagedCount < damagedMax) return leaderRefused(message)
      return Effect.fail(
        new BrokerFault({
          kind: "damaged data",
          message: `${message} It did so ${damagedMax} times, so it is damaged there: stop the leader, see with \`franz log verify DIR\` on its data directory what is wrong, and restore that from a copy. Then start this broker again.`
        })
      )
    })
  }

  private records(batch: RecordBatch): Either.Either<ReadonlyArray<Record>, Effect.Effect<never, LeaderRefused | BrokerFault>> {
    const wrong = verify(batch, this.checksum.crc32c)
    const records = wrong === undefined ? decodeRecords(batch, batch.records) : Either.left(wrong)
    return Either.mapLeft(records, ({ message }) => this.damaged(`${message} (offset ${batch.baseOffset})`))
  }

  private after(events: ReadonlyArray<Event>, highWatermark: number): Effect.Effect<void, BrokerFault> {
    const founded = events.find((event) => event._tag === "ClusterFounded")
    return Effect.gen(this, function* () {
      if (founded !== undefined) yield* this.claim(founded.clusterId)
      if (events.length > 0) this.tell(events)
      if (this.cluster.index >= highWatermark && this.cluster.clusterId !== undefined) yield* Deferred.succeed(this.caughtUp, undefined)
    })
  }

  private tell(events: ReadonlyArray<Event>): void {
    this.options.onEvents(events)
    for (const listener of this.listeners) listener()
  }

  /** The directory belongs to this cluster from now on, or it belongs to another and nothing in it is touched. */
  private claim(clusterId: string): Effect.Effect<void, BrokerFault> {
    return this.store.claim({ clusterId, nodeId: this.options.nodeId }).pipe(
      Effect.catchTags({
        ForeignDirectory: ({ message }) => this.foreign(message),
        LogFault: ({ message }) => Effect.fail(new BrokerFault({ kind: "storage", message }))
      }),
      Effect.zipRight(Deferred.succeed(this.founded, clusterId)),
      Effect.asVoid
    )
  }

  private foreign(message: string): Effect.Effect<never, BrokerFault> {
    return Effect.fail(new BrokerFault({ kind: "foreign cluster", message }))
  }
}

/** Waits until the image is as `holds` says; looks at it after each run of events, and at no other time. */
export const awaitImage = (image: Pick<Image, "cluster" | "onChange">, holds: (cluster: Cluster) => boolean): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (holds(image.cluster())) return resume(Effect.void)
    const stop = image.onChange(() => {
      if (!holds(image.cluster())) return
      stop()
      resume(Effect.void)
    })
    return Effect.sync(stop)
  })

/** The image of the cluster that this broker answers from: the leader's events, fetched as any consumer fetches them, from the first one on at each start. */
export const makeImage = (options: ImageOptions): Effect.Effect<Image, never, LogStore | Checksum | Scope.Scope> =>
  Effect.gen(function* () {
    const founded = yield* Deferred.make<string>()
    const caughtUp = yield* Deferred.make<void>()
    const follower = new Follower(options, yield* LogStore, yield* Checksum, founded, caughtUp)
    return {
      cluster: () => follower.cluster,
      removed: follower.removed,
      founded: Deferred.await(founded),
      caughtUp: Deferred.await(caughtUp),
      onChange: (listener) => {
        follower.listeners.add(listener)
        return () => follower.listeners.delete(listener)
      },
      follow: options.contact.keep("image", follower.over)
    }
  })
