import { Cause, Effect, ExecutionStrategy, Exit, Scope } from "effect"
import { Signal } from "../../runtime/signal.ts"
import type { AssignedPartitions } from "../fetch/assigned-partitions.ts"
import type { PartitionReader } from "../fetch/partition-reader.ts"
import type { ConsumedRecord } from "../fetch/record.ts"
import type { Permits } from "./permits.ts"

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
  readonly permits: Permits
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
  /** Whether the lane has a permit for the handler that it is about to start, or for its own. */
  private holdsPermit = false
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
    const steps = Effect.whileLoop({ while: () => !this.stopped, body: () => step, step: () => {} })
    const opened = Scope.extend(onAssigned({ topic, partition, offset: this.reader.next }), scope)
    return Effect.andThen(opened, steps).pipe(
      Effect.ensuring(this.end),
      Effect.catchAllCause((cause) => this.fail(cause)),
      Effect.annotateLogs({ topic, partition })
    )
  }
  /** The lane's own permit does not outlive it, nor does its own handler. */
  private readonly end = Effect.sync(() => {
    if (this.context.perPartition === 1 && this.inWork > 0) this.idle()
    this.releasePermit()
  })

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
  /** Waits for the partition, without a permit. */
  private waitFor(ms: number | undefined): Effect.Effect<void> {
    this.releasePermit()
    if (this.stopped) return Effect.void
    return ms === undefined ? this.signal.wait : this.signal.waitAtMost(ms)
  }

  /** Takes a permit; undefined when the lane has one, else an effect that waits for it. */
  private permit(): Effect.Effect<void> | undefined {
    const { permits } = this.context
    if (this.holdsPermit || permits.tryTake()) {
      this.holdsPermit = true
      return undefined
    }
    return permits.take(() => {
      this.holdsPermit = true
    })
  }
  private releasePermit(): void {
    if (!this.holdsPermit) return
    this.holdsPermit = false
    this.context.permits.release()
  }
  /** The message that the permit was for is gone. */
  private withoutMessage(): Effect.Effect<void> {
    this.releasePermit()
    return Effect.void
  }

  /** Handles the next message, in the lane's own fiber. */
  private readonly one: Effect.Effect<void, unknown> = Effect.suspend(() => {
    if (this.context.dueAt !== undefined) return Effect.flatMap(this.next, (record) => (record === undefined ? Effect.void : this.handleOne))
    return !this.stopped && this.context.partitions.isReady(this.reader) ? this.handleOne : this.waitFor(undefined)
  })
  private readonly handleOne: Effect.Effect<void, unknown> = Effect.suspend(() => {
    const wait = this.permit()
    if (wait !== undefined) return wait
    const record = this.taken()
    if (record === undefined) return this.withoutMessage()
    this.inWork = 1
    return Effect.map(this.context.handle(record), () => {
      this.processed(record)
      this.idle()
    })
  })
  private idle(): void {
    this.inWork = 0
    this.holdsPermit = false
    this.context.permits.release()
    this.context.onHandled()
  }

  /** Starts the handler of the next message in a fiber of its own, unless a message of its key has one. */
  private several(scope: Scope.Scope): Effect.Effect<void> {
    return Effect.flatMap(this.next, (record) => {
      if (record === undefined) return Effect.void
      const key = keyOf(record)
      if (this.inWork >= this.context.perPartition || (key !== undefined && this.keys.has(key))) return this.waitFor(undefined)
      // Not interruptible between the permit and the fiber that releases it.
      return this.permit() ?? Effect.uninterruptible(Effect.suspend(() => this.start(record, key, scope)))
    })
  }
  private start(record: ConsumedRecord, key: string | undefined, scope: Scope.Scope): Effect.Effect<void> {
    const taken = this.taken(record)
    if (taken === undefined) return this.withoutMessage()
    this.holdsPermit = false
    this.inWork += 1
    if (key !== undefined) this.keys.add(key)
    const done = Effect.sync(() => {
      this.inWork -= 1
      if (key !== undefined) this.keys.delete(key)
      this.context.permits.release()
      this.signal.notify()
      this.context.onHandled()
    })
    const handled = Effect.map(Effect.interruptible(this.context.handle(taken)), () => this.processed(taken))
    return Effect.asVoid(
      Effect.forkIn(
        Effect.ensuring(
          Effect.catchAllCause(handled, (cause) => this.fail(cause)),
          done
        ),
        scope
      )
    )
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
