import { Deferred, Effect, Fiber, type Runtime, type Scope } from "effect"
import { Signal } from "../../runtime/signal.ts"
import { inScope, within } from "../../runtime/supervision.ts"
import type { AssignedPartitions } from "../fetch/assigned-partitions.ts"
import type { PartitionReader } from "../fetch/partition-reader.ts"
import type { ConsumedRecord } from "../fetch/record.ts"
import { effectOf } from "./handler-result.ts"
import { closeScope, forkScope, Lane, type LaneContext } from "./lane.ts"
import type { RunOptions } from "./options.ts"
import { Permits } from "./permits.ts"

/** How often a wait for handlers looks whether they have ended, ms. */
const endedCheckMs = 50

/** One `run` of a consumer: a lane for each partition, and what ends all of them. */
export class Runner {
  private readonly lanes = new Map<Lane, Scope.CloseableScope>()
  /** Scopes that are closing: a handler that cannot be interrupted holds its own open. */
  private readonly closing = new Set<Fiber.RuntimeFiber<void>>()

  private constructor(
    private readonly context: LaneContext,
    private readonly runtime: Runtime.Runtime<unknown>,
    private readonly outcome: Deferred.Deferred<never, unknown>,
    private readonly handled: Signal
  ) {}

  static make<E, R, E2, R2>(
    partitions: AssignedPartitions,
    handler: (record: ConsumedRecord) => Effect.Effect<unknown, E, R>,
    { concurrency = 1, dueAt, onAssigned, perPartition = 1 }: RunOptions<E2, R2>
  ): Effect.Effect<Runner, never, R | R2> {
    return Effect.gen(function* () {
      const runtime = yield* Effect.runtime<R | R2>()
      const outcome = yield* Deferred.make<never, unknown>()
      const handled = new Signal()
      const context: LaneContext = {
        partitions,
        // The lane's fiber provides the context once, in place of a provision for each message.
        handle: (record) => Effect.suspend(() => effectOf(handler(record)) as Effect.Effect<unknown, E>),
        onAssigned: (partition) => (onAssigned === undefined ? Effect.void : (onAssigned(partition) as Effect.Effect<unknown, E2, Scope.Scope>)),
        permits: new Permits(concurrency),
        perPartition: Math.min(perPartition, concurrency),
        dueAt,
        failed: (cause) => Deferred.failCause(outcome, cause),
        onHandled: () => handled.notify()
      }
      return new Runner(context, runtime as Runtime.Runtime<unknown>, outcome, handled)
    })
  }

  /** Handles the messages of a partition in a scope under `parent`. */
  start(reader: PartitionReader, parent: Scope.Scope): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const scope = yield* forkScope(parent)
      const lane = new Lane(reader, this.context)
      this.lanes.set(lane, scope)
      yield* inScope(Effect.provide(lane.run(scope), this.runtime), scope)
    })
  }

  /** The partitions may have messages. */
  wake(): void {
    for (const lane of this.lanes.keys()) lane.wake()
  }
  /** Fails with the error of a handler. */
  get failure(): Effect.Effect<never, unknown> {
    return Deferred.await(this.outcome)
  }

  /** Starts no other handler. */
  stop(): void {
    for (const lane of this.lanes.keys()) lane.stop()
  }
  /** Returns when no handler runs. */
  readonly quiet: Effect.Effect<void> = Effect.suspend(() =>
    [...this.lanes.keys()].some(({ isBusy }) => isBusy) ? Effect.andThen(this.handled.wait, () => this.quiet) : Effect.void
  )
  /**
   * Interrupts the handlers of these partitions, or of all, and closes the scopes. Returns after `withinMs` at the latest.
   */
  end(withinMs: number, readers?: ReadonlyArray<PartitionReader>): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const ending = [...this.lanes].filter(([{ reader }]) => readers?.includes(reader) !== false)
      for (const [lane] of ending) {
        lane.stop()
        this.lanes.delete(lane)
      }
      const scopes = ending.map(([, scope]) => scope)
      // In fibers of their own: the bound holds also where a handler cannot be interrupted.
      for (const scope of scopes) {
        const fiber = yield* Effect.forkDaemon(closeScope(scope))
        this.closing.add(fiber)
        fiber.addObserver(() => this.closing.delete(fiber))
      }
      if ((yield* within(Fiber.joinAll(this.closing), withinMs))._tag === "None")
        yield* Effect.logWarning(`A handler did not end within ${Math.round(withinMs)} ms after its interruption. Another member may handle its message, too.`)
    })
  }
  /** Returns when every handler that was interrupted has ended. */
  readonly ended: Effect.Effect<void> = Effect.suspend(() => (this.closing.size === 0 ? Effect.void : Effect.delay(this.ended, endedCheckMs)))
}
