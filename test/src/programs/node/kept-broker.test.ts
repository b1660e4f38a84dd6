import { expect, test } from "bun:test"
import { Deferred, Effect, Exit, Logger, LogLevel, Scope } from "effect"
import { VirtualClock } from "../../../../adapters/clock/virtual-clock.ts"
import { CliFailure } from "../../../../src/cli/shell/failure.ts"
import { LogFault } from "../../../../src/ports/log-store.ts"
import { keptBroker, stoppedTogether } from "../../../../src/programs/node/kept-broker.ts"

/** Brokers that run until the test ends them. */
class Brokers {
  readonly running = new Map<number, Deferred.Deferred<never, CliFailure>>()
  readonly closed: Array<number> = []
  fails = false
  /** How long a broker takes to stop, ms. */
  stopMs = 0
  private next = 10
  reason = (id: number): string => `${id} ended.`

  readonly start = (id: number) =>
    Effect.gen(this, function* () {
      if (this.fails) return yield* new LogFault({ path: "/d", reason: "unavailable" as never, message: "The disk is full." })
      const stopped = yield* Deferred.make<never, CliFailure>()
      this.running.set(id, stopped)
      yield* Effect.addFinalizer(() =>
        Effect.delay(
          Effect.sync(() => {
            this.running.delete(id)
            this.closed.push(id)
          }),
          this.stopMs
        )
      )
      return { nodes: [{ id, roles: ["broker"] as const, address: `127.0.0.1:${id}` }], stopped: Deferred.await(stopped) }
    })
  readonly newId = () => this.next++
  end(id: number): Effect.Effect<void> {
    const stopped = this.running.get(id)
    return stopped === undefined
      ? Effect.die(`broker ${id} does not run`)
      : Effect.asVoid(Deferred.fail(stopped, new CliFailure({ exit: "disk", message: this.reason(id) })))
  }
}
const run = <A, E>(test: Effect.Effect<A, E, Scope.Scope>) => new VirtualClock().run(Effect.scoped(test).pipe(Logger.withMinimumLogLevel(LogLevel.None)))
const settle = Effect.sleep(100)
const runs = ({ running }: Brokers) => [...running.keys()]

test("a new broker with an id of its own follows one that ended, whose resources are released first", () =>
  run(
    Effect.gen(function* () {
      const brokers = new Brokers()
      const kept = yield* keptBroker({ id: 2, start: brokers.start, newId: brokers.newId })
      expect(kept.nodes.map(({ id }) => id)).toEqual([2])
      yield* brokers.end(2)
      yield* settle
      expect([runs(brokers), brokers.closed]).toEqual([[10], [2]])
      yield* brokers.end(10)
      yield* settle
      expect([runs(brokers), brokers.closed]).toEqual([[11], [2, 10]])
    })
  ))

test("the fourth end in ten minutes ends the process; fewer never do", () =>
  run(
    Effect.gen(function* () {
      const often = new Brokers()
      const kept = yield* keptBroker({ id: 2, start: often.start, newId: often.newId })
      for (const id of [2, 10, 11, 12]) {
        yield* often.end(id)
        yield* settle
      }
      const failure = yield* Effect.flip(kept.stopped)
      expect([failure.exit, failure.message]).toEqual(["disk", "4 brokers have ended in ten minutes. 12 ended."])
      const seldom = new Brokers()
      yield* keptBroker({ id: 2, start: seldom.start, newId: seldom.newId })
      for (const id of [2, 10, 11, 12, 13, 14]) {
        yield* seldom.end(id)
        yield* Effect.sleep(200_001)
      }
      expect(runs(seldom)).toEqual([15])
    })
  ))

test("a new broker that does not start ends the process with its fault; the brokers end with the scope", () =>
  run(
    Effect.gen(function* () {
      const brokers = new Brokers()
      const scope = yield* Scope.make()
      const kept = yield* Scope.extend(keptBroker({ id: 2, start: brokers.start, newId: brokers.newId }), scope)
      brokers.fails = true
      yield* brokers.end(2)
      expect((yield* Effect.flip(kept.stopped)).message).toBe("The disk is full.")
      brokers.fails = false
      const other = yield* Scope.extend(keptBroker({ id: 3, start: brokers.start, newId: brokers.newId }), scope)
      expect(other.nodes).toHaveLength(1)
      yield* Scope.close(scope, Exit.void)
      expect(runs(brokers)).toEqual([])
    })
  ))

test("a broker stops when it is asked, before the scope closes, and none follows it", () =>
  run(
    Effect.gen(function* () {
      const brokers = new Brokers()
      const kept = yield* keptBroker({ id: 2, start: brokers.start, newId: brokers.newId })
      yield* brokers.end(2)
      yield* settle
      yield* kept.stop
      expect([runs(brokers), brokers.closed]).toEqual([[], [2, 10]])
      yield* settle
      expect(runs(brokers)).toEqual([])
    })
  ))

test("several brokers stop at the same time", () =>
  run(
    Effect.gen(function* () {
      const brokers = new Brokers()
      const scope = yield* Scope.make()
      const start = Effect.forEach([2, 3, 4], (id) => keptBroker({ id, start: brokers.start, newId: brokers.newId }))
      yield* Scope.extend(Effect.flatMap(start, stoppedTogether), scope)
      brokers.stopMs = 1000
      const clock = yield* Effect.clock
      const before = clock.unsafeCurrentTimeMillis()
      yield* Scope.close(scope, Exit.void)
      expect([clock.unsafeCurrentTimeMillis() - before, brokers.closed.length]).toEqual([1000, 3])
    })
  ))

test("the end of a broker is said once, by the fault where that names it", async () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  const test = Effect.gen(function* () {
    const brokers = new Brokers()
    yield* keptBroker({ id: 2, start: brokers.start, newId: brokers.newId })
    yield* brokers.end(2)
    yield* settle
    brokers.reason = (id) => `Broker ${id} stops: its disk failed.`
    yield* brokers.end(10)
    yield* settle
  })
  await new VirtualClock().run(Effect.scoped(test).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger))))
  expect(lines.filter((line) => !line.includes("has started"))).toEqual(["broker 2 has ended: 2 ended.", "Broker 10 stops: its disk failed."])
})
