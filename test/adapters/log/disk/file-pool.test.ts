import { describe, expect, test } from "bun:test"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Either } from "effect"
import fc from "fast-check"
import type { Disk, DiskFile, OpenMode } from "../../../../adapters/log/disk/disk.ts"
import { FilePool } from "../../../../adapters/log/disk/file-pool.ts"
import { layer } from "../../../../adapters/log/file/layer.ts"
import { filesMaxFor } from "../../../../adapters/log/file/process-pool.ts"
import { DiskError, MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { defaultStoreBounds, makeStore } from "../../../../adapters/log/store.ts"
import { LogStore } from "../../../../src/ports/log-store.ts"
import { batch, batchesIn, checksum, smallConfig, topicId } from "../../../src/ports/log-batches.ts"
import { readAll } from "../../../src/ports/log-store.contract.ts"

const root = "/data"

/** A disk that tracks every descriptor: how many are open, and whether one is closed with writes that it did not sync. */
class StrictDisk implements Disk {
  openCount = 0
  openMost = 0
  /** The limit of descriptors of this simulated process. */
  limit = Number.POSITIVE_INFINITY
  readonly closedUnsynced: Array<string> = []
  /** The next sync on the spot fails; every sync of that file is counted from then on. */
  failsOnTheSpot = false
  failedPath = ""
  syncsAfterFailure = 0
  private readonly inner: Disk

  constructor(memory: MemoryDisk) {
    this.inner = memory.session()
    this.inner.makeDirectory(root)
  }
  readonly open = (path: string, mode: OpenMode): DiskFile => {
    if (this.openCount >= this.limit) throw new DiskError({ code: "EMFILE", message: `EMFILE: too many open files, open '${path}'` })
    const file = this.inner.open(path, mode)
    this.openMost = Math.max(this.openMost, ++this.openCount)
    let writes = 0
    let synced = 0
    return {
      path,
      write: (chunks, position) => (writes++, file.write(chunks, position)),
      read: (into, position) => file.read(into, position),
      size: () => file.size(),
      truncate: (size) => (writes++, file.truncate(size)),
      sync: Effect.suspend(() => {
        const upTo = writes
        if (path === this.failedPath) this.syncsAfterFailure++
        return Effect.map(Effect.zipRight(Effect.yieldNow(), file.sync), () => void (synced = Math.max(synced, upTo)))
      }),
      syncNow: () => {
        if (path === this.failedPath) this.syncsAfterFailure++
        if (this.failsOnTheSpot) {
          this.failsOnTheSpot = false
          this.failedPath = path
          throw new DiskError({ code: "EIO", message: `EIO: i/o error, fdatasync '${path}'` })
        }
        file.syncNow()
        synced = writes
      },
      close: () => {
        this.openCount--
        if (path.endsWith(".log") && synced < writes && path !== this.failedPath) this.closedUnsynced.push(path)
        file.close()
      }
    }
  }
  readonly list = (path: string) => this.inner.list(path)
  readonly exists = (path: string) => this.inner.exists(path)
  readonly size = (path: string) => this.inner.size(path)
  readonly makeDirectory = (path: string) => this.inner.makeDirectory(path)
  readonly rename = (from: string, to: string) => this.inner.rename(from, to)
  readonly unlink = (path: string) => this.inner.unlink(path)
  readonly removeDirectory = (path: string) => this.inner.removeDirectory(path)
  readonly syncDirectory = (path: string) => this.inner.syncDirectory(path)
  readonly space = (path: string) => this.inner.space(path)
}

const bounds = { ...defaultStoreBounds, tailBytesMaxPerLog: 0, tailBytesMax: 0 }
const openAll = (store: LogStore["Type"], count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, i) => i),
    (partition) => store.open(topicId, partition, smallConfig)
  )

describe("the bound of open files", () => {
  test(
    "many logs are written, rolled, read, synced and opened again within it, whatever their order; no file is closed before its writes are synced",
    () =>
      fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.nat({ max: 19 }), fc.constantFrom("append", "append", "append", "large", "sync", "read", "wait")), {
            minLength: 20,
            maxLength: 150
          }),
          async (steps) => {
            const memory = new MemoryDisk()
            const disk = new StrictDisk(memory)
            const pool = new FilePool(8)
            const ends: Array<number> = []
            const use = (work: (logs: Effect.Effect.Success<ReturnType<typeof openAll>>) => Effect.Effect<void, unknown>) =>
              Effect.runPromise(
                Effect.flatMap(makeStore(disk, root, bounds, pool), (store) => Effect.flatMap(openAll(store, 20), work)).pipe(
                  Effect.scoped,
                  Effect.provide(checksum)
                )
              )
            await use((logs) =>
              Effect.gen(function* () {
                for (const [n, what] of steps) {
                  const log = logs[n] as (typeof logs)[number]
                  if (what === "append" || what === "large") Either.getOrThrow(log.append([batch(log.end(), 2, what === "large" ? 900 : 40)]))
                  else if (what === "sync") yield* log.sync
                  else if (what === "read") expect(readAll(log).at(-1)?.nextOffset ?? 0).toBe(log.end())
                  else yield* Effect.yieldNow()
                  expect(pool.openCount).toBeLessThanOrEqual(8)
                }
                for (const log of logs) ends.push(log.end())
              })
            )
            expect(disk.openCount).toBe(0)
            await use((logs) =>
              Effect.sync(() => {
                expect(logs.map((log) => log.end())).toEqual(ends)
                for (const log of logs) expect(readAll(log).at(-1)?.nextOffset ?? 0).toBe(log.end())
              })
            )
            expect([disk.openMost <= 8, disk.openCount, disk.closedUnsynced]).toEqual([true, 0, []])
          }
        ),
        { numRuns: 40 }
      ),
    300_000
  )

  test("where all files are unsynced the pool syncs one at once; where there is time, in the background before that", async () => {
    const disk = new StrictDisk(new MemoryDisk())
    const pool = new FilePool(16)
    const program = Effect.gen(function* () {
      const store = yield* makeStore(disk, root, bounds, pool)
      const logs = yield* openAll(store, 64)
      for (const log of logs) yield* log.sync
      for (const log of logs) {
        Either.getOrThrow(log.append([batch(0, 1)]))
        for (let turns = 8; turns > 0; turns--) yield* Effect.yieldNow()
      }
      expect(pool.syncsOnTheSpot).toBe(0)
      for (const log of logs) Either.getOrThrow(log.append([batch(1, 1)]))
      expect(pool.syncsOnTheSpot).toBeGreaterThan(30)
      expect(disk.openMost).toBe(16)
    })
    await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(checksum)))
    expect(disk.closedUnsynced).toEqual([])
  })

  test("a failed sync on eviction is not repeated: the log of that file gets the failure and acknowledges nothing", async () => {
    const disk = new StrictDisk(new MemoryDisk())
    const program = Effect.gen(function* () {
      const store = yield* makeStore(disk, root, bounds, new FilePool(8))
      const logs = yield* openAll(store, 30)
      for (const log of logs) yield* log.sync
      disk.failsOnTheSpot = true
      for (const log of logs) log.append([batch(0, 1)])
      const failed = (yield* Effect.forEach(logs, (log) => Effect.either(log.sync))).filter(Either.isLeft)
      expect(failed.length).toBeGreaterThan(0)
      expect(failed[0]?.left).toMatchObject({ reason: "offline" })
      expect(disk.failedPath).toContain(failed[0]?.left.path ?? "?")
    })
    await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(checksum)))
    expect(disk.syncsAfterFailure).toBe(0)
  })

  test("a process without descriptors: the pool closes idle files, and operations that still fail succeed when descriptors are free", async () => {
    const disk = new StrictDisk(new MemoryDisk())
    const program = Effect.gen(function* () {
      const store = yield* makeStore(disk, root, bounds, new FilePool(64))
      const logs = yield* openAll(store, 20)
      for (const log of logs) yield* log.sync
      disk.limit = disk.openCount
      // Other code holds the rest of the descriptors. The idle files are enough.
      const more = yield* store.open(topicId, 100, smallConfig)
      for (const log of [...logs, more]) Either.getOrThrow(log.append([batch(0, 1)]))
      yield* more.sync
      disk.limit = 0
      for (const log of logs) yield* log.sync
      const refused = logs.map((log) => log.append([batch(1, 1)])).filter(Either.isLeft)
      for (const { left } of refused) {
        expect(left.reason).toBe("io")
        expect(left.message).toContain("No more files can be opened just now; it is tried again. Raise the limit (ulimit -n, LimitNOFILE=)")
      }
      expect((yield* Effect.flip(store.open(topicId, 101, smallConfig))).reason).toBe("io")
      disk.limit = Number.POSITIVE_INFINITY
      for (const log of logs) Either.getOrThrow(log.append([batch(log.end(), 1)]))
      yield* store.open(topicId, 101, smallConfig)
    })
    await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(checksum)))
    expect([disk.openCount, disk.closedUnsynced]).toEqual([0, []])
  })
})

test("a process's bound is five eighths of what it may open, and at most 32,768", () => {
  expect([256, 1024, 20_000, 65_536, 1_048_576, Number.POSITIVE_INFINITY, undefined].map(filesMaxFor)).toEqual([160, 640, 12_500, 32_768, 32_768, 32_768, 128])
})

test("300 logs of a real directory are written, read and opened again with 32 descriptors", async () => {
  const directory = fs.mkdtempSync(join(tmpdir(), "franz-pool-"))
  const descriptors = () => {
    let count = 0
    for (const fd of fs.readdirSync("/proc/self/fd")) {
      const target = Either.getOrElse(
        Either.try(() => fs.readlinkSync(`/proc/self/fd/${fd}`)),
        () => ""
      )
      if (target.startsWith(`${directory}/`) && !target.includes("/lock")) count++
    }
    return count
  }
  const use = <A>(work: (store: LogStore["Type"]) => Effect.Effect<A, unknown, import("effect").Scope.Scope>) =>
    Effect.runPromise(Effect.flatMap(LogStore, work).pipe(Effect.scoped, Effect.provide(layer({ directory, openFilesMax: 32 })), Effect.provide(checksum)))
  let most = 0
  await use((store) =>
    Effect.gen(function* () {
      const logs = yield* openAll(store, 300)
      for (let round = 0; round < 3; round++)
        for (const log of logs) {
          Either.getOrThrow(log.append([batch(log.end(), 1)]))
          most = Math.max(most, log.end() % 2 === 0 ? descriptors() : 0)
        }
      yield* Effect.forEach(logs, (log) => log.sync, { concurrency: 50 })
      most = Math.max(most, descriptors())
    })
  )
  await use((store) =>
    Effect.map(openAll(store, 300), (logs) => {
      for (const log of logs) expect(batchesIn(Either.getOrThrow(log.read(0, 10_000, 3))).length).toBe(3)
      most = Math.max(most, descriptors())
    })
  )
  expect(descriptors()).toBe(0)
  expect(most).toBeGreaterThan(16)
  expect(most).toBeLessThanOrEqual(32)
  fs.rmSync(directory, { recursive: true })
}, 300_000)
