import { describe, expect, test } from "bun:test"
import { Effect, ExecutionStrategy, Exit, Fiber, Logger, LogLevel, Scope, TestClock, TestContext } from "effect"
import fc from "fast-check"
import { layer } from "../../../../adapters/log/memory/layer.ts"
import { MemoryDisk, type Pick } from "../../../../adapters/log/memory/memory-disk.ts"
import type { RecordBatch } from "../../../../domain/log/batch.ts"
import { type DirectoryLocked, type LogFault, LogStore } from "../../../../src/ports/log-store.ts"
import { batch, batchesFrom, checksum, hexOf, otherTopicId, smallConfig, topicId } from "../../../src/ports/log-batches.ts"
import { logCutContract } from "../../../src/ports/log-cut.contract.ts"
import { logFollowerContract } from "../../../src/ports/log-follower.contract.ts"
import { logDirectory, logStoreContract, openLog, put, readAll, type Store, type StoreWorld } from "../../../src/ports/log-store.contract.ts"

const root = "/data"

const memoryWorld = (disk: MemoryDisk): StoreWorld => ({
  layer: layer(disk),
  list: (path) => disk.session().list(`${root}/${path}`),
  read: (path) => disk.contents(`${root}/${path}`),
  write: (path, bytes) => disk.overwrite(`${root}/${path}`, bytes),
  remove: (path) => disk.unlink(`${root}/${path}`),
  copy: () => memoryWorld(disk.copy()),
  end: () => undefined
})

logStoreContract("memory", () => memoryWorld(new MemoryDisk()), { damageStride: 17 })
logFollowerContract("memory", () => memoryWorld(new MemoryDisk()))
logCutContract("memory", () => memoryWorld(new MemoryDisk()), { runs: 60 })

/** Randomness from fast-check: each number in [0, 1) decides one draw. */
const picker = (draws: ReadonlyArray<number>): Pick => {
  let next = 0
  return (bound) => Math.floor((draws[next++ % draws.length] ?? 0) * bound)
}

const onDisk = <A, E>(disk: MemoryDisk, use: (store: Store) => Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E | DirectoryLocked | LogFault> =>
  Effect.flatMap(LogStore, use).pipe(Effect.scoped, Effect.provide(layer(disk)), Effect.provide(checksum), Logger.withMinimumLogLevel(LogLevel.Error))

describe("a memory disk that loses power", () => {
  test(
    "L9, L1: after a crash at any point the log is a prefix of what was appended, with everything whose sync was answered, and recovery changes nothing twice",
    () =>
      fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.oneof(
              fc.record({ count: fc.integer({ min: 1, max: 4 }), valueBytes: fc.integer({ min: 0, max: 900 }) }),
              fc.constant("sync" as const),
              fc.constant("reopen" as const)
            ),
            {
              maxLength: 25
            }
          ),
          fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 8, maxLength: 8 }),
          fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
          async (commands, draws, changes) => {
            const disk = new MemoryDisk()
            if (changes !== undefined) disk.crashAfter(changes, picker(draws))
            const appended: Array<RecordBatch> = []
            let durable = 0
            const crashing = onDisk(disk, (store) =>
              Effect.gen(function* () {
                const outer = yield* Effect.scope
                let scope = yield* Scope.fork(outer, ExecutionStrategy.sequential)
                let log = yield* Scope.extend(openLog(store), scope)
                for (const command of commands) {
                  if (command === "sync") yield* log.sync
                  else if (command === "reopen") {
                    yield* Scope.close(scope, Exit.void)
                    scope = yield* Scope.fork(outer, ExecutionStrategy.sequential)
                    log = yield* Scope.extend(openLog(store), scope)
                  } else {
                    const made = batchesFrom(log.end(), [command])
                    appended.push(...made)
                    yield* log.append(made)
                  }
                  durable = log.syncedEnd()
                }
                disk.crash(picker(draws))
              })
            )
            await Effect.runPromise(Effect.ignore(crashing))
            disk.crash(picker(draws))
            const recover = onDisk(disk, (store) =>
              Effect.map(openLog(store), (log) => ({ end: log.end(), synced: log.syncedEnd(), found: hexOf(readAll(log)) }))
            )
            const first = await Effect.runPromise(recover)
            expect(first.end).toBeGreaterThanOrEqual(durable)
            expect(first.synced).toBe(first.end)
            expect(first.found).toEqual(hexOf(appended.slice(0, first.found.length)))
            disk.crash(() => 0)
            expect(await Effect.runPromise(recover)).toEqual(first)
          }
        ),
        { numRuns: 300 }
      ),
    300_000
  )

  test("a checkpoint survives a crash during its replacement, in its old or its new version", async () => {
    for (let changes = 1; changes < 12; changes++)
      for (const draw of [0, 0.4, 0.7, 0.99]) {
        const disk = new MemoryDisk()
        const write = (store: Store, text: string) => store.writeCheckpoint("state", new TextEncoder().encode(text))
        const crashing = onDisk(disk, (store) =>
          Effect.gen(function* () {
            yield* write(store, "one")
            yield* write(store, "two")
            disk.crashAfter(changes, picker([draw]))
            yield* Effect.ignore(write(store, "three"))
          })
        )
        await Effect.runPromise(crashing)
        disk.crash(picker([draw]))
        const found = await Effect.runPromise(onDisk(disk, (store) => store.readCheckpoint("state")))
        expect(["two", "three"]).toContain(new TextDecoder().decode(found[0]))
      }
  })

  test("L10: after a crash during its removal, the next start finds a log whole or removes all its files", async () => {
    for (let changes = 1; changes < 10; changes++)
      for (const draw of [0, 0.5, 0.99]) {
        const disk = new MemoryDisk()
        const removing = onDisk(disk, (store) =>
          Effect.gen(function* () {
            yield* Effect.scoped(
              Effect.gen(function* () {
                const log = yield* openLog(store)
                put(log, batch(0, 3), batch(3, 1))
                yield* log.sync
              })
            )
            disk.crashAfter(changes, picker([draw]))
            yield* store.remove(topicId, 0)
          })
        )
        await Effect.runPromise(Effect.ignore(removing))
        disk.crash(picker([draw]))
        const found = await Effect.runPromise(
          onDisk(disk, (store) =>
            Effect.gen(function* () {
              const listed = yield* store.list
              return listed.length === 0 ? undefined : (yield* openLog(store)).end()
            })
          )
        )
        expect([undefined, 4]).toContain(found)
        expect(
          disk
            .session()
            .list(root)
            .filter((name) => name.endsWith("-delete"))
        ).toEqual([])
      }
  })

  test(
    "one sync at a time: those who come while it runs share the next",
    () =>
      Effect.runPromise(
        Effect.gen(function* () {
          const disk = new MemoryDisk()
          yield* onDisk(disk, (store) =>
            Effect.gen(function* () {
              const log = yield* openLog(store)
              yield* log.sync
              disk.syncDelayMs = 10
              const before = disk.syncCount
              const write = Effect.suspend(() => {
                put(log, batch(log.end(), 1))
                const mine = log.end()
                return Effect.map(log.sync, () => expect(log.syncedEnd()).toBeGreaterThanOrEqual(mine))
              })
              const first = yield* Effect.fork(Effect.all([write, write, write], { concurrency: "unbounded" }))
              yield* TestClock.adjust(5)
              const interrupted = yield* Effect.fork(write)
              const later = yield* Effect.fork(Effect.all([write, write], { concurrency: "unbounded" }))
              yield* TestClock.adjust(5)
              yield* Fiber.join(first)
              // The second sync has begun.
              expect([log.syncedEnd(), disk.syncCount - before]).toEqual([3, 2])
              yield* Fiber.interrupt(interrupted)
              yield* TestClock.adjust(10)
              yield* Fiber.join(later)
              expect([log.syncedEnd(), disk.syncCount - before]).toEqual([6, 2])
              disk.syncDelayMs = 0
            })
          )
        }).pipe(Effect.provide(TestContext.TestContext))
      ),
    300_000
  )

  test(
    "L1: what was appended while a sync ran, to a segment that was sealed before it ended, waits for the next sync",
    () =>
      Effect.runPromise(
        Effect.gen(function* () {
          const disk = new MemoryDisk()
          yield* onDisk(disk, (store) =>
            Effect.gen(function* () {
              const log = yield* openLog(store)
              disk.syncDelayMs = 10
              put(log, batch(0, 1, 600))
              const first = yield* Effect.fork(log.sync)
              yield* TestClock.adjust(5)
              put(log, batch(1, 1, 600), batch(2, 1, 1500))
              const second = yield* Effect.fork(log.sync)
              yield* TestClock.adjust(100)
              yield* Fiber.join(first)
              yield* Fiber.join(second)
              expect(log.syncedEnd()).toBe(3)
              disk.syncDelayMs = 0
              disk.crash(() => 0)
            })
          )
          expect(yield* onDisk(disk, (store) => Effect.map(openLog(store), (log) => log.end()))).toBe(3)
        }).pipe(Effect.provide(TestContext.TestContext))
      ),
    300_000
  )

  test("a failed sync closes the log until the next start, which writes again what the kernel dropped", async () => {
    const disk = new MemoryDisk()
    await Effect.runPromise(
      onDisk(disk, (store) =>
        Effect.gen(function* () {
          const log = yield* openLog(store)
          put(log, batch(0, 1), batch(1, 1))
          yield* log.sync
          put(log, batch(2, 3))
          disk.failSyncs(1)
          expect((yield* Effect.flip(log.sync)).reason).toBe("offline")
          expect((yield* Effect.flip(log.sync)).reason).toBe("offline")
          expect(log.syncedEnd()).toBe(2)
          const scanned = yield* Effect.either(log.scan(0, () => undefined))
          for (const refused of [log.append([batch(5, 1)]), log.read(0, 100, 5), log.batchAtTime(0), scanned])
            expect(refused).toMatchObject({ _tag: "Left", left: { reason: "offline" } })
        })
      )
    )
    const reopened = onDisk(disk, (store) => Effect.map(openLog(store), (log) => [log.end(), log.syncedEnd()]))
    expect(await Effect.runPromise(reopened)).toEqual([5, 5])
    disk.crash(() => 0)
    expect(await Effect.runPromise(reopened)).toEqual([5, 5])
  })

  for (const how of ["was killed", "failed"] as const)
    test(`L1: a log that was never synced when its process ${how} has its name in the data directory durable after the next start`, async () => {
      const disk = new MemoryDisk()
      const nextStart = onDisk(disk, (store) =>
        Effect.gen(function* () {
          const log = yield* openLog(store)
          put(log, batch(log.end(), 1))
          yield* log.sync
          disk.crash(() => 0)
          return log.syncedEnd()
        })
      )
      const end = await Effect.runPromise(
        onDisk(disk, (store) =>
          Effect.gen(function* () {
            const log = yield* store.open(topicId, 0, smallConfig)
            if (how === "was killed") {
              // It closes nothing: the next process finds the files as they were written.
              disk.holder = undefined
              return yield* nextStart
            }
            put(log, batch(0, 1))
            disk.failSyncs(1)
            expect((yield* Effect.flip(log.sync)).reason).toBe("offline")
            return undefined
          })
        )
      )
      const expected = end ?? (await Effect.runPromise(nextStart))
      expect(expected).toBe(how === "was killed" ? 1 : 2)
      expect(await Effect.runPromise(onDisk(disk, (store) => Effect.map(openLog(store), (log) => log.end())))).toBe(expected)
    })

  test("a full disk refuses appends and loses nothing; appends succeed again when there is room", async () => {
    const disk = new MemoryDisk()
    await Effect.runPromise(
      onDisk(disk, (store) =>
        Effect.gen(function* () {
          const log = yield* openLog(store)
          put(log, batch(0, 1, 500))
          const size = disk.contents(`${root}/${logDirectory}/00000000000000000000.log`).length
          disk.capacityBytes = disk.usedBytes + 100
          expect(log.append([batch(1, 1, 10), batch(2, 1, 10), batch(3, 1, 500)])).toMatchObject({ _tag: "Left", left: { reason: "full" } })
          expect(disk.contents(`${root}/${logDirectory}/00000000000000000000.log`)).toHaveLength(size)
          expect([log.end(), hexOf(readAll(log)).length]).toEqual([1, 1])
          yield* log.sync
          disk.isReadOnly = true
          expect(log.append([batch(1, 1)])).toMatchObject({ _tag: "Left", left: { reason: "offline" } })
        })
      )
    )
    disk.isReadOnly = false
    disk.capacityBytes = Number.POSITIVE_INFINITY
    await Effect.runPromise(
      onDisk(disk, (store) =>
        Effect.gen(function* () {
          const log = yield* openLog(store)
          disk.isReadOnly = true
          const log2 = yield* Effect.flip(store.open(otherTopicId, 0, smallConfig))
          expect(log2.reason).toBe("read-only")
          disk.isReadOnly = false
          put(log, batch(1, 4))
          expect(log.end()).toBe(5)
        })
      )
    )
  })
})
