import { Effect, Fiber, Scope } from "effect"
import type { TopicPartition } from "../cluster/topic-partition.ts"
import { Signal } from "../runtime/signal.ts"
import { within } from "../runtime/supervision.ts"
import type { AssignedPartitions } from "./fetch/assigned-partitions.ts"
import type { PartitionReader } from "./fetch/partition-reader.ts"
import { closeScope } from "./run/lane.ts"
import type { Runner } from "./run/runner.ts"

/** Runs for each assigned partition. Its scope closes before the partition is given away. */
export type OnAssigned = (partition: TopicPartition & { readonly offset: number }) => Effect.Effect<unknown, never, Scope.Scope>

/** Callbacks of different partitions that run at the same time. */
const callbacksMax = 16

/** What the caller does with the assigned partitions: the scopes of `onAssigned`, the handlers of `run`, and its polls. */
export class PartitionWork {
  private readonly scopes = new Map<PartitionReader, Scope.CloseableScope>()
  private runner: Runner | undefined
  /** The last time at which the caller polled, or the partitions were assigned, ms; infinite without partitions. */
  private polledAt = Number.POSITIVE_INFINITY
  /** Polls that have not returned, and all that began. */
  private polls = 0
  private pollsBegun = 0
  private taken = false
  private readonly polled = new Signal()
  onAssigned: OnAssigned | undefined

  constructor(private readonly partitions: AssignedPartitions) {}

  /** Partitions that are assigned, before their first message. */
  begin(now: number, readers: ReadonlyArray<PartitionReader>): Effect.Effect<void> {
    if (this.polledAt === Number.POSITIVE_INFINITY) this.polledAt = now
    const each = (reader: PartitionReader) =>
      Effect.gen(this, function* () {
        const scope = yield* Scope.make()
        this.scopes.set(reader, scope)
        const { partition, topic } = reader
        if (this.onAssigned !== undefined) {
          const called = Scope.extend(this.onAssigned({ topic, partition, offset: reader.next }), scope)
          // The membership continues: its partitions would go to the next member, with the same result.
          yield* Effect.catchAllCause(called, (cause) => Effect.logError(`onAssigned of ${topic}-${partition} failed`, cause))
        }
        if (this.runner !== undefined) yield* this.runner.start(reader, scope)
      })
    return Effect.forEach(readers, each, { concurrency: callbacksMax, discard: true })
  }
  /** Ends the work on these partitions, or on all. Returns after `withinMs` at the latest. */
  end(withinMs: number, readers?: ReadonlyArray<PartitionReader>): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const ending = readers ?? [...this.scopes.keys()]
      const scopes = ending.flatMap((reader) => this.scopes.get(reader) ?? [])
      for (const reader of ending) this.scopes.delete(reader)
      if (this.scopes.size === 0) this.polledAt = Number.POSITIVE_INFINITY
      if (this.runner !== undefined) yield* this.runner.end(withinMs, readers)
      if (scopes.length === 0) return
      const closing = yield* Effect.forkDaemon(Effect.forEach(scopes, closeScope, { concurrency: "unbounded", discard: true }))
      if ((yield* within(Fiber.join(closing), withinMs))._tag === "None")
        yield* Effect.logWarning(`The scopes of ${scopes.length} partitions did not close within ${Math.round(withinMs)} ms.`)
    })
  }

  /** Handles messages of the present and of later assignments, until `finish`. */
  use(runner: Runner): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.runner = runner
      return Effect.forEach([...this.scopes], ([reader, scope]) => runner.start(reader, scope), { discard: true })
    })
  }
  finish(now: number): void {
    this.runner = undefined
    this.polledAt = now
  }
  get isRunning(): boolean {
    return this.runner !== undefined
  }

  /** A poll begins or ends. */
  onPoll(now: number, change: 1 | -1): void {
    if (this.polledAt !== Number.POSITIVE_INFINITY) this.polledAt = now
    this.polls += change
    if (change === -1) return
    this.pollsBegun += 1
    this.polled.notify()
  }
  /** The caller took a message without a poll. Its time is read with the next heartbeat. */
  onTaken(): void {
    this.taken = true
    this.pollsBegun += 1
  }
  /** See MembershipHandler.idleSince. */
  idleSince(now: number): number {
    if (this.taken && this.polledAt !== Number.POSITIVE_INFINITY) this.polledAt = now
    this.taken = false
    if (this.runner !== undefined) return this.partitions.pendingSince(now)
    return this.polls > 0 ? Number.POSITIVE_INFINITY : this.polledAt
  }
  /** Returns when the caller polls again, or its handlers have ended. */
  readonly resumed: Effect.Effect<void> = Effect.suspend(() => {
    if (this.runner !== undefined) return this.runner.ended
    return this.polls > 0 ? Effect.void : this.pollAfter(this.pollsBegun)
  })
  private pollAfter(count: number): Effect.Effect<void> {
    return Effect.flatMap(this.polled.wait, () => (this.pollsBegun > count ? Effect.void : this.pollAfter(count)))
  }
}
