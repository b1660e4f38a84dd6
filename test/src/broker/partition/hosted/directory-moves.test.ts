import { expect, test } from "bun:test"
import { Effect, Fiber, Option } from "effect"
import { VirtualClock } from "../../../../../adapters/clock/virtual-clock.ts"
import { DirectoryMoves } from "../../../../../src/broker/partition/hosted/directory-moves.ts"
import type { LogMove, LogMoves } from "../../../../../src/ports/log-store.ts"
import { topicId } from "../../../../domain/cluster/support.ts"
import { until } from "../../support.ts"

const of = { topic: "orders", topicId: topicId(1), partition: 0 }

/** A log that grows all the time; what its move copies, and what is left for its end. */
class GrowingLog {
  at = "/a"
  size = 0
  copied = 0
  rest: number | undefined
  readonly moves: LogMoves

  constructor() {
    const move: LogMove = {
      copy: Effect.sync(() => void (this.copied = this.size)),
      finish: Effect.sync(() => {
        this.rest = this.size - this.copied
        this.at = "/b"
      }),
      removeOld: Effect.void,
      cancel: Effect.void,
      copiedEnd: () => 0,
      copiedBytes: () => this.copied
    }
    this.moves = { begin: () => Effect.succeed(move), interrupted: Effect.succeed([]), directoryOf: () => this.at, prefer: () => undefined }
  }
}
const moving = (log: GrowingLog, ready: () => void) =>
  new DirectoryMoves({ moves: log.moves, bytesPerSecondMax: () => Number.MAX_SAFE_INTEGER, ready, warn: () => undefined })
const into = (moves: DirectoryMoves) => [...moves.into("/b")].length

test("what is appended while the log cannot be closed is copied before it is: the partition does not wait for it", () =>
  new VirtualClock().run(
    Effect.gen(function* () {
      const log = new GrowingLog()
      let asked = 0
      const moves = moving(log, () => asked++)
      yield* Effect.fork(moves.run)
      yield* Effect.fork(
        Effect.forever(
          Effect.delay(
            Effect.sync(() => log.size++),
            1
          )
        )
      )
      moves.request(of, "/b")
      // The in-sync set is not decided: the log stays open for so long.
      yield* Effect.sleep("30 seconds")
      expect(asked).toBeGreaterThan(100)
      yield* until(() => moves.isReady(of))
      expect(moves.close(of)).toBe(true)
      yield* moves.place(of, () => undefined, Effect.void)
      yield* until(() => into(moves) === 0)
      expect([log.at, log.size > 29_000, (log.rest ?? Number.POSITIVE_INFINITY) < 300]).toEqual(["/b", true, true])
    }).pipe(Effect.scoped)
  ))

test("a request that ends a move while its log is being closed leaves the log where it is", () =>
  new VirtualClock().run(
    Effect.gen(function* () {
      const log = new GrowingLog()
      const moves = moving(log, () => undefined)
      yield* Effect.fork(moves.run)
      moves.request(of, "/b")
      yield* until(() => moves.isReady(of))
      expect([moves.close(of), moves.close(of)]).toEqual([true, false])
      moves.request(of, "/a")
      let isOpened = false
      yield* moves.place(
        of,
        () => undefined,
        Effect.sync(() => void (isOpened = true))
      )
      yield* until(() => !moves.isReady(of) && into(moves) === 0)
      expect([isOpened, log.at, log.rest]).toEqual([true, "/a", undefined])
      moves.request(of, "/b")
      yield* until(() => moves.isReady(of))
    }).pipe(Effect.scoped)
  ))

test("a request that comes as the broker ends keeps it from nothing", () =>
  new VirtualClock().run(
    Effect.gen(function* () {
      const log = new GrowingLog()
      const moves = moving(log, () => undefined)
      const running = yield* Effect.fork(moves.run)
      yield* Effect.yieldNow()
      moves.request(of, "/b")
      // The request was taken, or was not.
      running.unsafeInterruptAsFork(running.id())
      yield* Fiber.await(running)
      moves.request(of, "/b")
      expect(Option.isSome(yield* Effect.timeoutOption(moves.end, "10 seconds"))).toBe(true)
    })
  ))

/** Thousands of logs that one request names. */
class ManyLogs {
  readonly at = new Map<number, string>()
  /** In the order in which their copies were begun. */
  readonly begun: Array<number> = []
  /** Copied, and neither placed nor ended. */
  readonly open = new Set<number>()
  openMost = 0
  cancelled = 0
  readonly moves: LogMoves

  constructor(begin: () => void = () => undefined) {
    this.moves = {
      begin: ({ partition, path }) =>
        Effect.sync((): LogMove => {
          begin()
          this.begun.push(partition)
          return {
            copy: Effect.sync(() => {
              this.open.add(partition)
              this.openMost = Math.max(this.openMost, this.open.size)
            }),
            finish: Effect.sync(() => {
              this.open.delete(partition)
              this.at.set(partition, path)
            }),
            removeOld: Effect.void,
            cancel: Effect.sync(() => {
              this.open.delete(partition)
              this.cancelled++
            }),
            copiedEnd: () => 0,
            copiedBytes: () => 0
          }
        }),
      interrupted: Effect.succeed([]),
      directoryOf: (_, partition) => this.at.get(partition) ?? "/a",
      prefer: () => undefined
    }
  }
}
const nth = (partition: number) => ({ ...of, partition })
const manyMax = 3000
const requestAll = (moves: DirectoryMoves, to: string) => {
  for (let partition = 0; partition < manyMax; partition++) moves.request(nth(partition), to)
}
const movesOf = (logs: ManyLogs, ready: (of: { readonly partition: number }) => void) =>
  new DirectoryMoves({ moves: logs.moves, bytesPerSecondMax: () => Number.MAX_SAFE_INTEGER, ready, warn: () => undefined })

test("of thousands of logs all moves are begun, so that a start finds them, and few are copied and not placed", () =>
  new VirtualClock().run(
    Effect.gen(function* () {
      const logs = new ManyLogs()
      const due: Array<number> = []
      let asked = 0
      const moves = movesOf(logs, ({ partition }) => {
        asked++
        due.push(partition)
      })
      yield* Effect.fork(moves.run)
      requestAll(moves, "/b")
      yield* until(() => logs.begun.length === manyMax)
      // The replicas are not closed yet: nothing more is copied meanwhile, and nothing is asked for that is not copied.
      yield* Effect.sleep("1 second")
      expect([logs.openMost, asked <= 3 * 11]).toEqual([3, true])
      while (logs.at.size < manyMax) {
        yield* until(() => due.length > 0)
        for (const partition of due.splice(0)) if (moves.close(nth(partition))) yield* moves.place(nth(partition), () => undefined, Effect.void)
      }
      yield* until(() => into(moves) === 0)
      expect([logs.openMost, logs.open.size, logs.begun.length]).toEqual([3, 0, manyMax])
    }).pipe(Effect.scoped)
  ))

test("requests that replace each other keep no more than one move of a log, and leave the logs where the last one says", () =>
  new VirtualClock().run(
    Effect.gen(function* () {
      const logs = new ManyLogs()
      const moves = movesOf(logs, () => undefined)
      yield* Effect.fork(moves.run)
      requestAll(moves, "/b")
      yield* until(() => logs.begun.length === manyMax)
      for (let round = 0; round < 10; round++) {
        requestAll(moves, "/a")
        requestAll(moves, "/b")
      }
      // Those that were not begun cost nothing.
      yield* until(() => logs.begun.length === 2 * manyMax)
      expect([into(moves), logs.cancelled]).toEqual([manyMax, manyMax])
      requestAll(moves, "/a")
      yield* until(() => logs.cancelled === 2 * manyMax)
      yield* moves.cancel(nth(0))
      yield* until(() => [...moves.into("/a")].length === 0)
      expect([logs.begun.length, logs.open.size, into(moves)]).toEqual([2 * manyMax, 0, 0])
    }).pipe(Effect.scoped)
  ))

test("a log that is removed while its move is begun does not wait for the moves before it", () =>
  new VirtualClock().run(
    Effect.gen(function* () {
      const removals: Array<Fiber.RuntimeFiber<void>> = []
      const logs = new ManyLogs(() => {
        if (logs.begun.length === 10) removals.push(Effect.runFork(moves.cancel(nth(10))))
      })
      const moves = movesOf(logs, () => undefined)
      yield* Effect.fork(moves.run)
      for (let partition = 0; partition < 20; partition++) moves.request(nth(partition), "/b")
      yield* until(() => logs.begun.length === 20)
      for (const removal of removals) yield* Effect.timeout(Fiber.await(removal), "10 seconds")
      expect([removals.length, logs.cancelled, into(moves)]).toEqual([1, 1, 19])
    }).pipe(Effect.scoped)
  ))

test("the loop turns while the moves of thousands of logs are begun", async () => {
  const logs = new ManyLogs(() => {
    for (const until = performance.now() + 0.1; performance.now() < until; );
  })
  const moves = movesOf(logs, () => undefined)
  let mostInATurn = 0
  let before = 0
  const noteTurn = () => {
    mostInATurn = Math.max(mostInATurn, logs.begun.length - before)
    before = logs.begun.length
  }
  const timer = setInterval(noteTurn)
  try {
    const run = Effect.zipRight(
      Effect.sync(() => requestAll(moves, "/b")),
      Effect.raceFirst(
        moves.run,
        until(() => logs.begun.length === manyMax)
      )
    )
    await Effect.runPromise(run)
  } finally {
    clearInterval(timer)
  }
  // A slice is 4 ms.
  expect(mostInATurn).toBeLessThan(200)
})

test("a defect in one move ends that one, says so, and not the moves behind it", () =>
  new VirtualClock().run(
    Effect.gen(function* () {
      const warned: Array<string> = []
      let isFirst = true
      const logs = new ManyLogs(() => {
        if (!isFirst) return
        isFirst = false
        throw new Error("no such module")
      })
      const moves = new DirectoryMoves({
        moves: logs.moves,
        bytesPerSecondMax: () => Number.MAX_SAFE_INTEGER,
        ready: () => undefined,
        warn: (line) => warned.push(line)
      })
      yield* Effect.fork(moves.run)
      moves.request(nth(0), "/b")
      moves.request(nth(1), "/b")
      yield* until(() => moves.isReady(nth(1)))
      expect([logs.begun, into(moves)]).toEqual([[1], 1])
      expect(warned).toHaveLength(1)
      expect(warned[0]).toContain("orders-0 is not moved to /b because of a bug: Error: no such module")
    }).pipe(Effect.scoped)
  ))
