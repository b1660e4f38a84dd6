import { Deferred, Effect, Either, ExecutionStrategy, Exit, Fiber, Scope } from "effect"
import type { Running } from "../../cli/node/roles.ts"
import { CliFailure } from "../../cli/shell/failure.ts"
import { type NodeFault, nodeFailure } from "./node-failure.ts"

/** Brokers that may end in `endedWithinNs` and are followed by a new one; the process ends with the next. */
const endedMax = 3
const endedWithinNs = 600_000_000_000n

interface KeptBroker<R> {
  readonly id: number
  readonly start: (id: number) => Effect.Effect<Running, NodeFault, R>
  /** Returns an id that no broker of the cluster has. */
  readonly newId: () => number
}

/**
 * Starts a broker, and a new one with an id of its own whenever it ends by itself: a data directory is gone, or a disk
 * has failed. The cluster's leader moves the partitions of the old one to those that run. `stopped` fails where brokers
 * end again and again, or a new one does not start. `stop` stops the broker that runs, before the scope does: so the
 * brokers of a process stop at the same time.
 */
export const keptBroker = <R>({
  id: firstId,
  newId,
  start
}: KeptBroker<R>): Effect.Effect<Running & { readonly stop: Effect.Effect<void> }, NodeFault, R | Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const given = yield* Deferred.make<never, CliFailure>()
    let current: Scope.CloseableScope | undefined
    const begin = (id: number) =>
      Effect.gen(function* () {
        const own = yield* Scope.fork(scope, ExecutionStrategy.sequential)
        current = own
        const running = yield* Effect.onError(Scope.extend(start(id), own), (cause) => Scope.close(own, Exit.failCause(cause)))
        return { id, own, running }
      })
    const nowNs = Effect.clockWith((clock) => Effect.sync(() => clock.unsafeCurrentTimeNanos()))
    const keep = (broker: Effect.Effect.Success<ReturnType<typeof begin>>, endedAt: ReadonlyArray<bigint>): Effect.Effect<never, CliFailure, R> =>
      Effect.catchAll(broker.running.stopped, (failure) =>
        Effect.gen(function* () {
          const now = yield* nowNs
          const recent = endedAt.filter((at) => now - at < endedWithinNs)
          if (recent.length >= endedMax)
            return yield* new CliFailure({ ...failure, exit: failure.exit, message: `${endedMax + 1} brokers have ended in ten minutes. ${failure.message}` })
          // Most of its faults begin with its name.
          const isNamed = failure.message.startsWith(`Broker ${broker.id} `)
          yield* Effect.logWarning(isNamed ? failure.message : `broker ${broker.id} has ended: ${failure.message}`)
          yield* Scope.close(broker.own, Exit.void)
          const id = newId()
          const next = yield* Effect.either(begin(id))
          if (Either.isLeft(next)) return yield* nodeFailure(next.left)
          const [node] = next.right.running.nodes
          yield* Effect.logWarning(
            `broker ${id} at ${node?.address} has started in the place of broker ${broker.id}, whose replicas move to the brokers that run after franz.broker.replacement.delay.ms`
          )
          return yield* keep(next.right, [...recent, now])
        })
      )
    const first = yield* begin(firstId)
    const keeping = yield* Effect.forkIn(
      Effect.catchAll(keep(first, []), (failure) => Deferred.fail(given, failure)),
      scope
    )
    // No new broker starts meanwhile.
    const stop = Effect.zipRight(
      Fiber.interrupt(keeping),
      Effect.suspend(() => (current === undefined ? Effect.void : Scope.close(current, Exit.void)))
    )
    return { nodes: first.running.nodes, stopped: Deferred.await(given), stop }
  })

/** Stops the brokers at the same time when the scope closes; by itself it would stop one after the other. */
export const stoppedTogether = (brokers: ReadonlyArray<{ readonly stop: Effect.Effect<void> }>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.addFinalizer(() => Effect.forEach(brokers, ({ stop }) => stop, { concurrency: "unbounded", discard: true }))
