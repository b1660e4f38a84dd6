import { describe, expect, test } from "bun:test"
import { Effect, Either, Exit, Logger, LogLevel, Scope } from "effect"
import { FaultyDisk } from "../../../adapters/log/disk/faulty-disk.ts"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { defaultStoreBounds, makeStore } from "../../../adapters/log/store.ts"
import type { LogStore, PartitionLog } from "../../../src/ports/log-store.ts"
import { batch, checksum, smallConfig, topicId } from "../../src/ports/log-batches.ts"
import { readAll } from "../../src/ports/log-store.contract.ts"

const root = "/data"
const quiet = { ...defaultStoreBounds, scrubFirstAfterMs: 1_000_000_000 }

describe("a segment that is rolled while the process has no free descriptors", () => {
  for (const beside of [".index", ".timeindex", ".checksum"])
    test(`its records are durable after a successful sync, although ${beside} cannot be opened`, async () => {
      const memory = new MemoryDisk()
      const made = memory.session()
      made.makeDirectory(root)
      await Effect.runPromise(made.syncDirectory("/"))
      const inStore = <A, E>(faulty: FaultyDisk, use: (store: LogStore["Type"]) => Effect.Effect<A, E, Scope.Scope>) =>
        Effect.runPromise(
          Effect.gen(function* () {
            // A power cut closes no log.
            const scope = yield* Scope.make()
            return yield* Scope.extend(Effect.flatMap(makeStore(faulty.disk, root, quiet), use), scope)
          }).pipe(Effect.provide(checksum), Logger.withMinimumLogLevel(LogLevel.None))
        )
      const faulty = new FaultyDisk(memory.session())
      const synced = await inStore(faulty, (store) =>
        Effect.gen(function* () {
          const log = yield* store.open(topicId, 0, smallConfig)
          // The first segment is named, and not full.
          Either.getOrThrow(log.append([batch(0, 1)]))
          yield* log.sync
          const before = log.segments().length
          faulty.plant({ doing: "open", path: beside, code: "EMFILE" })
          while (log.segments().length === before) log.append([batch(log.end(), 1, 200)])
          faulty.mend()
          for (let n = 0; n < 3; n++) Either.getOrThrow(log.append([batch(log.end(), 1)]))
          yield* log.sync
          return log.syncedEnd()
        })
      )
      memory.crash(() => 0)
      await inStore(new FaultyDisk(memory.session()), (store) =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const log = yield* Scope.extend(store.open(topicId, 0, smallConfig), scope)
          expect(log.end()).toBe(synced)
          expect(readAll(log).length).toBe(synced)
          yield* Scope.close(scope, Exit.void)
        })
      )
    })
})

test("a segment whose file could not be renamed stays the first one: the next try leaves no gap after it", async () => {
  const memory = new MemoryDisk()
  memory.session().makeDirectory(root)
  const faulty = new FaultyDisk(memory.session())
  const life = <A, E>(use: (log: PartitionLog) => Effect.Effect<A, E>) =>
    Effect.runPromise(
      makeStore(faulty.disk, root, quiet).pipe(
        Effect.flatMap((store) => store.open(topicId, 0, smallConfig)),
        Effect.flatMap(use),
        Effect.scoped,
        Effect.provide(checksum),
        Logger.withMinimumLogLevel(LogLevel.None)
      )
    )
  const start = await life((log) =>
    Effect.gen(function* () {
      while (log.segments().length < 5) {
        Either.getOrThrow(log.append([batch(log.end(), 1, 200)]))
        yield* log.sync
      }
      const third = log.segments()[2]?.baseOffset ?? 0
      faulty.plant({ doing: "rename", path: ".log", code: "ENOSPC", times: 1 })
      expect((yield* Effect.flip(log.deleteBefore(third))).reason).toBe("full")
      expect(log.start()).toBe(0)
      expect(log.start()).toBe(0)
      expect(readAll(log)[0]?.baseOffset).toBe(0)
      yield* log.deleteBefore(third)
      expect(log.start()).toBe(third)
      return third
    })
  )
  await life((log) => Effect.sync(() => expect([log.start(), readAll(log)[0]?.baseOffset]).toEqual([start, start])))
})
