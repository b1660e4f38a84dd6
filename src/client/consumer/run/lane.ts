import { Cause, Effect, ExecutionStrategy, Exit, Scope } from "effect"
import { Signal } from "../../runtime/signal.ts"
import type { AssignedPartitions } from "../fetch/assigned-partitions.ts"
import type { PartitionReader } from "../fetch/partition-reader.ts"
import type { ConsumedRecord } from "../fetch/record.ts"

/** What the lanes of one `run` have in common. */
export interface LaneContext {
  readonly partitions: AssignedPartitions
  /** Handles one message. Its fiber has the context of the caller of `run`. */
  readonly handle: (record: ConsumedRecord) => Effect.Effect<unknown, unknown>
  /** Runs in the scope of the partition before its first message. */
  readonly onAssigned: (partition: {
    readonly topic: string
    readonly partition: number
    readonly offset: number
  }) => Effect.Effect<unknown, unknown, Scope.Scope>
  /** One for each handler that may run. */
  readonly permits: Effect.Semaphore
  /** Handlers of one partition at the same time. */
  readonly perPartition: number
  /** The time at which a message may be handled, ms since 1970. */
  readonly dueAt: ((record: ConsumedRecord) => number) | undefined
  readonly failed: (cause: Cause.Cause<unknown>) => Effect.Effect<unknown>
  /** A handler has ended. */
  readonly onHandled: () => void
}

const latin1 = new TextDecoder("latin1")
/** Messages of one key are handled one after the other. Undefined for a message without a key. */
const keyOf = ({ key }: ConsumedRecord): string | undefined => (key === null ? undefined : latin1.decode(key))

/**
 * The handlers of one assigned partition. A message is taken when its handler starts and not before, so that nothing is
 * in hand that has not begun when the partition is given away, and the fetch buffer is the only one.
 */
export class Lane {
  private readonly signal = new Signal()
  private readonly keys = new Set<string>()
  private inWork = 0
  private stopped = false

  constructor(
    readonly reader: PartitionReader,
    private readonly context: LaneContext
  ) {}

  /** The partition may have a message, or may have one again. */
  wake(): void {
    this.signal.notify()
  }
  /** Starts no other handler. */
  stop(): void {
    this.stopped = true
    this.signal.notify()
  }
  get isBusy(): boolean {
    return this.inWork > 0
  }

  /** Handles messages until it is stopped, in a scope that the caller closes. */
  run(scope: Scope.Scope): Effect.Effect<void> {
    const { onAssigned } = this.context
    const { partition, topic } = this.reader
    const step = this.context.perPartition === 1 ? this.one : this.several(scope)
    const steps = Effect.repeat(step, { while: () => !this.stopped })
    const opened = Scope.extend(onAssigned({ topic, partition, offset: this.reader.next }), scope)
    return Effect.andThen(opened, steps).pipe(
      Effect.catchAllCause((cause) => this.fail(cause)),
      Effect.annotateLogs({ topic, partition })
    )
  }

  /** The interruption of the handlers of a partition that was given away is not an error of the caller. */
  private fail(cause: Cause.Cause<unknown>): Effect.Effect<unknown> {
    return this.stopped && Cause.isInterruptedOnly(cause) ? Effect.void : this.context.failed(cause)
  }

  /** The message that may be handled now; undefined after a wait. */
  private readonly next: Effect.Effect<ConsumedRecord | undefined> = Effect.suspend(() => {
    const { dueAt, partitions } = this.context
    const record = this.stopped ? undefined : partitions.peek(this.reader)
    if (record === undefined) return Effect.as(this.waitFor(undefined), undefined)
    const at = dueAt?.(record)
    return at === undefined ? Effect.succeed(record) : this.due(record, at)
  })
  private due(record: ConsumedRecord, at: number): Effect.Effect<ConsumedRecord | undefined> {
    return Effect.clockWith((clock) => {
      const leftMs = at - clock.unsafeCurrentTimeMillis()
      return leftMs > 0 ? Effect.as(this.waitFor(leftMs), undefined) : Effect.succeed(record)
    })
  }
  private waitFor(ms: number | undefined): Effect.Effect<void> {
    if (this.stopped) return Effect.void
    return ms === undefined ? this.signal.wait : this.signal.waitAtMost(ms)
  }

  /** Handles the next message, in the lane's own fiber. */
  private readonly one: Effect.Effect<void, unknown> = Effect.suspend(() => {
    const { dueAt, partitions, permits } = this.context
    if (dueAt !== undefined) return Effect.flatMap(this.next, (record) => (record === undefined ? Effect.void : permits.withPermits(1)(this.handleOne)))
    return !this.stopped && partitions.isReady(this.reader) ? permits.withPermits(1)(this.handleOne) : this.waitFor(undefined)
  })
  private readonly handleOne: Effect.Effect<void, unknown> = Effect.suspend(() => {
    const record = this.taken()
    if (record === undefined) return Effect.void
    this.inWork = 1
    return Effect.ensuring(
      Effect.map(this.context.handle(record), () => this.processed(record)),
      this.idle
    )
  })
  private readonly idle = Effect.sync(() => {
    this.inWork = 0
    this.context.onHandled()
  })

  /** Starts the handler of the next message in a fiber of its own, unless a message of its key has one. */
  private several(scope: Scope.Scope): Effect.Effect<void> {
    const { permits } = this.context
    return Effect.flatMap(this.next, (record) => {
      if (record === undefined) return Effect.void
      const key = keyOf(record)
      if (this.inWork >= this.context.perPartition || (key !== undefined && this.keys.has(key))) return this.waitFor(undefined)
      return Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(restore(permits.take(1)), () => {
          const taken = this.taken(record)
          if (taken === undefined) return permits.release(1)
          this.inWork += 1
          if (key !== undefined) this.keys.add(key)
          const done = Effect.suspend(() => {
            this.inWork -= 1
            if (key !== undefined) this.keys.delete(key)
            this.signal.notify()
            this.context.onHandled()
            return permits.release(1)
          })
          const handled = Effect.map(restore(this.context.handle(taken)), () => this.processed(taken))
          const fiber = Effect.ensuring(
            Effect.catchAllCause(handled, (cause) => this.fail(cause)),
            done
          )
          return Effect.asVoid(Effect.forkIn(fiber, scope))
        })
      )
    })
  }

  /** Takes the next message; undefined where it is not `expected`, after a seek, or the partition was given away. */
  private taken(expected?: ConsumedRecord): ConsumedRecord | undefined {
    const { partitions } = this.context
    if (this.stopped) return undefined
    if (expected !== undefined && partitions.peek(this.reader)?.offset !== expected.offset) return undefined
    return partitions.takeFrom(this.reader)
  }
  private processed({ offset, partition, topic, topicId }: ConsumedRecord): void {
    if (!this.reader.closed) this.context.partitions.processed({ topic, partition, offset, topicId })
  }
}

/** A scope under `parent`, for one partition. */
export const forkScope = (parent: Scope.Scope): Effect.Effect<Scope.CloseableScope> => Scope.fork(parent, ExecutionStrategy.sequential)
export const closeScope = (scope: Scope.CloseableScope): Effect.Effect<void> => Scope.close(scope, Exit.void)
