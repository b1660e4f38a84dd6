import { expect, test } from "bun:test"
import { Clock, Effect, Either, Exit, Logger, Scope } from "effect"
import type { Disk, DiskFile, OpenMode } from "../../../adapters/log/disk/disk.ts"
import { DiskError, MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { defaultStoreBounds, makeStore } from "../../../adapters/log/store.ts"
import { batch, checksum, smallConfig, topicId } from "../../src/ports/log-batches.ts"

const root = "/data"

/** A disk that counts its open files, and on which reads of `.log` files fail while `fails`. */
class WatchedDisk implements Disk {
  openCount = 0
  fails = false
  private readonly inner: Disk

  constructor(memory: MemoryDisk) {
    this.inner = memory.session()
    this.inner.makeDirectory(root)
  }
  open(path: string, mode: OpenMode): DiskFile {
    const file = this.inner.open(path, mode)
    this.openCount++
    let isOpen = true
    return {
      path,
      write: (chunks, position) => file.write(chunks, position),
      read: (into, position) => {
        if (this.fails && path.endsWith(".log")) throw new DiskError({ code: "EACCES", message: `EACCES: ${path}` })
        return file.read(into, position)
      },
      size: () => file.size(),
      truncate: (size) => file.truncate(size),
      sync: file.sync,
      syncNow: () => file.syncNow(),
      close: () => {
        if (isOpen) this.openCount--
        isOpen = false
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

const storeOn = (disk: Disk) => Effect.provide(makeStore(disk, root, { ...defaultStoreBounds, openFilesMax: 2 }), checksum)

// The node retries a log every ten seconds: a descriptor leaked by each try would exhaust the process's limit.
for (const how of ["a clean close", "a crash"] as const)
  test(`a log whose file cannot be read leaves no file open, after ${how} and any number of tries`, async () => {
    const disk = new WatchedDisk(new MemoryDisk())
    const program = Effect.gen(function* () {
      const store = yield* storeOn(disk)
      const first = yield* Scope.make()
      const log = yield* Scope.extend(store.open(topicId, 0, smallConfig), first)
      for (let offset = 0; offset < 30; offset++) Either.getOrThrow(log.append([batch(offset, 1, 100)]))
      yield* log.sync
      yield* Scope.close(first, Exit.void)
      if (how === "a crash") disk.unlink(`${root}/${topicId}-0/recovery-point`)
      disk.fails = true
      const tryIt = Effect.flip(Effect.scoped(store.open(topicId, 0, smallConfig)))
      expect((yield* tryIt).reason).toBe("io")
      const after = disk.openCount
      for (let n = 0; n < 5; n++) yield* tryIt
      expect(disk.openCount).toBe(after)
      disk.fails = false
      const opened = yield* Scope.make()
      expect((yield* Scope.extend(store.open(topicId, 0, smallConfig), opened)).end()).toBe(log.end())
      yield* Scope.close(opened, Exit.void)
    })
    await Effect.runPromise(Effect.scoped(program))
    expect(disk.openCount).toBe(0)
  })

test("an interrupted removal is finished at the next start; a directory with a similar name is left alone", async () => {
  const disk = new WatchedDisk(new MemoryDisk())
  for (const name of [`${topicId}-3-delete`, "backup-delete"]) {
    disk.makeDirectory(`${root}/${name}`)
    disk.open(`${root}/${name}/00000000000000000000.log`, "create").close()
  }
  await Effect.runPromise(Effect.scoped(storeOn(disk)))
  expect(disk.list(root)).toEqual(["backup-delete"])
})

// Many topics that are created at once take longer than a restart's patience; the node has run for days, perhaps.
test("logs that are made are not said to be recovered; those that were there are", async () => {
  let ns = 0n
  const clock: Clock.Clock = Object.assign(Object.create(Clock.make()) as Clock.Clock, { unsafeCurrentTimeNanos: () => (ns += 100_000_000n) })
  const said: Array<string> = []
  const logger = Logger.make(({ message }) => void said.push(String(message)))
  const disk = new WatchedDisk(new MemoryDisk())
  const openAll = (isNew: boolean) =>
    Effect.scoped(
      Effect.flatMap(storeOn(disk), (store) =>
        Effect.forEach(Array(20).keys(), (nth) => store.open(topicId, nth, smallConfig, isNew), { concurrency: 20, discard: true })
      )
    )
  const run = Effect.gen(function* () {
    yield* openAll(true)
    expect(said).toEqual([])
    yield* openAll(false)
  })
  await Effect.runPromise(Effect.withClock(Effect.provide(run, Logger.replace(Logger.defaultLogger, logger)), clock))
  expect(said[0]).toMatch(/^recovering: \d+ of 20 logs are open$/)
})
