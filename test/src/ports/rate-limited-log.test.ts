import { expect, test } from "bun:test"
import { Effect, Logger, LogLevel } from "effect"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { RateLimitedLog } from "../../../src/ports/rate-limited-log.ts"

test("the first line of a key is written at once, the others of its interval are counted with the next", () => {
  const log = new RateLimitedLog({ intervalMs: 60_000 })
  const written = Array.from({ length: 121 }, (_, second) => log.admit("broker 1", `broker 1 from port ${second}`, second * 1000))
  expect(written.map((lines, second) => [second, ...lines]).filter(({ length }) => length > 1)).toEqual([
    [0, "broker 1 from port 0"],
    [60, "59 more lines of this kind in 60 s, such as: broker 1 from port 1", "broker 1 from port 60"],
    [120, "59 more lines of this kind in 60 s, such as: broker 1 from port 61", "broker 1 from port 120"]
  ])
})

test("a key may have several lines in an interval, and its summary comes without a next line", () => {
  const log = new RateLimitedLog({ intervalMs: 10_000, linesPerKeyMax: 3 })
  const written = Array.from({ length: 7 }, (_, n) => log.admit("http", `line ${n}`, n)).flat()
  expect(written).toEqual(["line 0", "line 1", "line 2"])
  expect(log.summaries(9999)).toEqual([])
  expect(log.summaries(10_000)).toEqual(["4 more lines of this kind in 10 s, such as: line 3"])
  expect(log.summaries(20_000)).toEqual([])
})

test("a summary does not repeat the line that follows it", () => {
  const log = new RateLimitedLog({ intervalMs: 60_000 })
  for (const at of [0, 1, 2]) log.admit("disk", "the disk is full", at)
  expect(log.admit("disk", "the disk is full", 60_000)).toEqual(["2 more lines of this kind in 60 s.", "the disk is full"])
})

test("one suppressed line is no plural", () => {
  const log = new RateLimitedLog()
  log.admit("disk", "full", 0)
  log.admit("disk", "full again", 1)
  expect(log.summaries(60_000)).toEqual(["1 more line of this kind in 60 s, such as: full again"])
})

test("invented keys fill neither the log nor the memory", () => {
  const log = new RateLimitedLog({ keysMax: 5, lineCharsMax: 20 })
  const long = "x".repeat(10_000)
  const written = Array.from({ length: 1000 }, (_, n) => log.admit(`broker ${n} ${long}`, `broker ${n} ${n < 5 ? "" : long}`, 0)).flat()
  expect(written).toEqual(["broker 0 ", "broker 1 ", "broker 2 ", "broker 3 ", "broker 4 "])
  expect(log.summaries(60_000)).toEqual([`995 more lines about other causes in 60 s, such as: broker 5 xxxxxxxxxxx…`])
  // Known keys have their places back.
  expect(log.admit("broker 7", "broker 7", 60_001)).toEqual(["broker 7"])
})

test("a key that is as long as the key of all others is a key like others", () => {
  const log = new RateLimitedLog({ keysMax: 1 })
  expect(log.admit("*".repeat(300), "stars", 0)).toEqual(["stars"])
  expect(log.admit("other", "other", 0)).toEqual([])
  expect(log.admit("*".repeat(300), "stars", 60_000)).toEqual(["1 more line about other causes in 60 s, such as: other", "stars"])
})

test("a clock that is set back begins a new interval", () => {
  const log = new RateLimitedLog()
  expect(log.admit("disk", "one", 1_000_000)).toEqual(["one"])
  expect(log.admit("disk", "two", 0)).toEqual(["two"])
})

test("as an effect it follows Effect's clock, and the debug level has every line", async () => {
  const written: Array<string> = []
  const logger = Logger.make<unknown, void>(({ logLevel, message }) => void written.push(`${logLevel.label} ${[message].flat().join(" ")}`))
  const body = Effect.gen(function* () {
    const log = new RateLimitedLog({ intervalMs: 1000 })
    for (const line of ["a", "b", "c"]) yield* log.log(LogLevel.Warning, "key", line)
    yield* log.logSummaries(LogLevel.Warning)
    yield* Effect.sleep(1000)
    yield* log.logSummaries(LogLevel.Warning)
    yield* log.log(LogLevel.Info, "key", "d")
  })
  await new VirtualClock().run(body.pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Logger.withMinimumLogLevel(LogLevel.Debug)))
  expect(written).toEqual(["WARN a", "DEBUG b", "DEBUG c", "WARN 2 more lines of this kind in 1 s, such as: b", "INFO d"])
})
