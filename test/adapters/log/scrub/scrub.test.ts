import { describe, expect, test } from "bun:test"
import { type Context, Deferred, Effect, Either, Exit, Logger, LogLevel, Scope } from "effect"
import fc from "fast-check"
import { VirtualClock } from "../../../../adapters/clock/virtual-clock.ts"
import type { Disk, DiskFile } from "../../../../adapters/log/disk/disk.ts"
import { planRepair, repairLog } from "../../../../adapters/log/inspect/repair-log.ts"
import { verifyLog } from "../../../../adapters/log/inspect/verify-log.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { segmentPath } from "../../../../adapters/log/segment/segment-files.ts"
import { defaultStoreBounds, makeStore, type StoreBounds } from "../../../../adapters/log/store.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import { baseOffsetOfLogFile } from "../../../../domain/log/segment.ts"
import type { Checksum } from "../../../../src/ports/checksum.ts"
import type { LogFault, LogStore, PartitionLog } from "../../../../src/ports/log-store.ts"
import { batch, checksum, otherTopicId, smallConfig, topicId } from "../../../src/ports/log-batches.ts"

type Store = Context.Tag.Service<LogStore>
const root = "/data"
const directory = `${root}/${topicId}-0`
const atOnce: StoreBounds = { ...defaultStoreBounds, scrubFirstAfterMs: 0, scrubBytesPerSecondMax: Number.POSITIVE_INFINITY }
const never: StoreBounds = { ...defaultStoreBounds, scrubFirstAfterMs: 1_000_000_000 }

const inQuiet = <A, E>(effect: Effect.Effect<A, E, Checksum | Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(checksum), Logger.withMinimumLogLevel(LogLevel.None)))

const newDisk = (): { readonly memory: MemoryDisk; readonly disk: Disk } => {
  const memory = new MemoryDisk()
  const disk = memory.session()
  disk.makeDirectory(root)
  return { memory, disk }
}
const fill = (log: PartitionLog, sizes: ReadonlyArray<number>): Effect.Effect<void, LogFault> =>
  Effect.forEach(sizes, (size, n) => Effect.zipRight(log.append([batch(log.end(), 1 + (n % 3), size, 1000 + n, Math.floor(log.end() / 8))]), log.sync), {
    discard: true
  })
/** Opens the log without a scrub, and closes it. */
const written = (disk: Disk, sizes: ReadonlyArray<number>, isClosed = true): Promise<void> =>
  inQuiet(
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const store = yield* Scope.extend(makeStore(disk, root, never), scope)
      yield* fill(yield* Scope.extend(store.open(topicId, 0, smallConfig), scope), sizes)
      if (isClosed) yield* Scope.close(scope, Exit.void)
    })
  )
const manySizes = Array.from({ length: 24 }, (_, n) => 50 + ((n * 97) % 600))
const bases = (disk: Disk): ReadonlyArray<number> =>
  disk
    .list(directory)
    .flatMap((name) => baseOffsetOfLogFile(name) ?? [])
    .sort((one, other) => one - other)
const logOf = (baseOffset: number): string => segmentPath(directory, baseOffset).log
const change = (disk: Disk, path: string, use: (bytes: Uint8Array) => Uint8Array): void => {
  const file = disk.open(path, "write")
  const bytes = new Uint8Array(file.size())
  file.read(bytes, 0)
  const next = use(bytes)
  file.truncate(0)
  file.write([next], 0)
  file.close()
}
const flip = (disk: Disk, path: string, at: number, bit: number): void =>
  change(disk, path, (bytes) => bytes.map((byte, i) => (i === at ? byte ^ (1 << bit) : byte)))
const waitFor = (holds: Effect.Effect<boolean, unknown>, everyMs = 1): Effect.Effect<void> =>
  Effect.repeat(Effect.delay(Effect.orDie(holds), everyMs), { until: (held) => held, times: 20_000 }).pipe(
    Effect.flatMap((held) => (held ? Effect.void : Effect.die(new Error("It did not come to pass."))))
  )
/** The store's pass over all segments is complete. */
const passed = (store: Store, everyMs = 1): Effect.Effect<void> =>
  waitFor(
    Effect.map(store.readCheckpoint("scrub"), ([bytes]) => bytes !== undefined && !("log" in (JSON.parse(new TextDecoder().decode(bytes)) as object))),
    everyMs
  )
const faultOf = (log: PartitionLog): LogFault | undefined =>
  Either.match(log.read(log.start(), 1, log.end()), { onLeft: (fault) => fault, onRight: () => undefined })

/** The result of a scrub from the start in a separate opening: the fault, or that the log could not be opened for it. */
const scrubbed = (disk: Disk): Promise<LogFault | undefined> =>
  inQuiet(
    Effect.gen(function* () {
      for (const slot of [0, 1]) if (disk.exists(`${root}/checkpoints/scrub.${slot}`)) disk.unlink(`${root}/checkpoints/scrub.${slot}`)
      const store = yield* makeStore(disk, root, atOnce)
      const opened = yield* Effect.either(store.open(topicId, 0, smallConfig))
      if (Either.isLeft(opened)) return opened.left
      let heard: LogFault | undefined
      opened.right.onDamage((fault) => {
        heard = fault
      })
      yield* Effect.raceFirst(passed(store), waitFor(Effect.sync(() => heard !== undefined)))
      expect(faultOf(opened.right)).toBe(heard)
      expect(Either.isLeft(opened.right.append([batch(opened.right.end(), 1, 10, 1000, 1_000_000)]))).toBe(heard !== undefined)
      return heard
    })
  )

describe("damage in a sealed segment", () => {
  test(
    "any single bit of any sealed segment is found by the scrub and by verify, and both say the file",
    () =>
      fc.assert(
        fc.asyncProperty(
          fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 8, maxLength: 30 }),
          fc.nat(),
          fc.nat(),
          fc.nat(7),
          async (sizes, which, where, bit) => {
            const { disk } = newDisk()
            await written(disk, sizes)
            const sealed = bases(disk).slice(0, -1)
            fc.pre(sealed.length > 0)
            const path = logOf(sealed[which % sealed.length] as number)
            flip(disk, path, where % (disk.size(path) ?? 1), bit)
            const found = verifyLog(disk, directory, crc32c)
            expect(found.findings[0]).toMatchObject({ file: path })
            const fault = await scrubbed(disk)
            expect(fault?.reason).toBe("corrupt")
            expect(fault?.message).toContain(path)
            // The next opening knows it without a scrub.
            await inQuiet(
              Effect.gen(function* () {
                const again = yield* Effect.either((yield* makeStore(disk, root, never)).open(topicId, 0, smallConfig))
                expect(Either.isLeft(again) && again.left.message.includes(path)).toBe(true)
              })
            )
          }
        ),
        { numRuns: 60 }
      ),
    300_000
  )

  test("a listener that is added after the damage was found is called at once", async () => {
    const { disk } = newDisk()
    await written(disk, manySizes)
    flip(disk, logOf(bases(disk)[0] as number), 100, 0)
    await inQuiet(
      Effect.gen(function* () {
        const log = yield* Effect.flatMap(makeStore(disk, root, atOnce), (store) => store.open(topicId, 0, smallConfig))
        yield* waitFor(Effect.sync(() => faultOf(log) !== undefined))
        const heard: Array<LogFault> = []
        log.onDamage((fault) => void heard.push(fault))
        expect(heard.map(({ reason }) => reason)).toEqual(["corrupt"])
      })
    )
  })

  test("a batch over many slices is read like a small one", async () => {
    const { disk } = newDisk()
    await written(disk, [10, 3_000_000, 10, 10, 900_000, 20, 2000, 2000])
    expect(await scrubbed(disk)).toBeUndefined()
    const large = bases(disk).find((base) => (disk.size(logOf(base)) ?? 0) > 1_000_000) as number
    flip(disk, logOf(large), 1_700_000, 3)
    expect((await scrubbed(disk))?.message).toMatch(/is damaged at bytes \d+ to \d+ \(offsets \d+ to \d+\): The batch says CRC/)
  })

  test("its mark is removed when a copy was restored, when the log was repaired, and with the segment", async () => {
    const { disk } = newDisk()
    await written(disk, manySizes)
    const [, second = 0] = bases(disk)
    const path = logOf(second)
    const whole = new Uint8Array(disk.size(path) ?? 0)
    disk.open(path, "read").read(whole, 0)
    const isMarked = () => disk.exists(`${directory}/damage.json`)
    const end = () => inQuiet(Effect.flatMap(makeStore(disk, root, never), (store) => Effect.map(store.open(topicId, 0, smallConfig), (log) => log.end())))

    flip(disk, path, 100, 0)
    await scrubbed(disk)
    expect(isMarked()).toBe(true)
    change(disk, path, () => whole)
    const before = await end()
    expect(isMarked()).toBe(false)

    flip(disk, path, 12, 6)
    await scrubbed(disk)
    expect(isMarked()).toBe(true)
    await Effect.runPromise(repairLog(disk, directory, planRepair(disk, verifyLog(disk, directory, crc32c)), "20261122T150000Z", crc32c))
    expect(await end()).toBe(before)
    expect(isMarked()).toBe(false)

    flip(disk, path, 100, 0)
    await scrubbed(disk)
    await Effect.runPromise(repairLog(disk, directory, planRepair(disk, verifyLog(disk, directory, crc32c)), "20261122T150000Z", crc32c))
    expect(await end()).toBeLessThan(before)
    expect(isMarked()).toBe(false)
  })
})

describe("an undamaged log is never reported", () => {
  test(
    "after any lives of the log, closed, killed or ended by a power cut",
    () =>
      fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.record({ sizes: fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 14 }), end: fc.constantFrom("closed", "killed", "power cut" as const) }),
            { minLength: 1, maxLength: 5 }
          ),
          fc.infiniteStream(fc.nat()),
          async (lives, chance) => {
            const { memory } = newDisk()
            await inQuiet(memory.session().syncDirectory("/") as Effect.Effect<void, never>)
            for (const { end, sizes } of lives) {
              await written(memory.session(), sizes, end === "closed")
              if (end === "power cut") memory.crash((bound) => (chance.next().value as number) % bound)
            }
            const disk = memory.session()
            await written(disk, manySizes)
            expect(await scrubbed(disk)).toBeUndefined()
            expect(verifyLog(disk, directory, crc32c).findings).toEqual([])
          }
        ),
        { numRuns: 30 }
      ),
    300_000
  )

  test("during appends, while retention deletes it, and while its topic is removed", async () => {
    const { disk } = newDisk()
    const faults: Array<LogFault> = []
    await inQuiet(
      Effect.gen(function* () {
        const store = yield* makeStore(disk, root, { ...atOnce, scrubIntervalMs: 1 })
        const doomed = yield* Scope.make()
        const one = yield* store.open(topicId, 0, { ...smallConfig, fileDeleteDelayMs: 0 })
        const other = yield* Scope.extend(store.open(otherTopicId, 0, smallConfig), doomed)
        for (const log of [one, other]) log.onDamage((fault) => void faults.push(fault))
        for (let round = 0; round < 12; round++) {
          yield* fill(one, manySizes)
          if (round < 6) yield* fill(other, manySizes)
          yield* one.deleteBefore(one.end() - 20)
          if (round === 6) yield* Effect.zipRight(Scope.close(doomed, Exit.void), store.remove(otherTopicId, 0))
          yield* Effect.sleep(2)
        }
        yield* passed(store)
        expect(faultOf(one)).toBeUndefined()
      })
    )
    expect(faults).toEqual([])
  })

  test("a topic that is removed while its checksum is synced does not take the data directory offline", async () => {
    const { disk } = newDisk()
    await written(disk, manySizes)
    const { checksum: file } = segmentPath(directory, 0)
    disk.unlink(file)
    await inQuiet(
      Effect.gen(function* () {
        const [begun, mayEnd] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const slow: Disk = {
          ...disk,
          open: (path, mode) => {
            const opened = disk.open(path, mode)
            const wait = Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(mayEnd))
            return path === file && mode === "write" ? Object.assign(Object.create(opened) as DiskFile, { sync: Effect.zipRight(wait, opened.sync) }) : opened
          }
        }
        const store = yield* makeStore(slow, root, { ...atOnce, scrubIntervalMs: 0 })
        const doomed = yield* Scope.make()
        yield* Scope.extend(store.open(topicId, 0, smallConfig), doomed)
        yield* Deferred.await(begun)
        yield* Effect.zipRight(Scope.close(doomed, Exit.void), store.remove(topicId, 0))
        yield* Deferred.succeed(mayEnd, undefined)
        yield* Effect.sleep(5)
        expect(store.directories.map(({ fault }) => fault()?.message)).toEqual([undefined])
        // The scrub continues with the other logs.
        const other = yield* store.open(otherTopicId, 0, smallConfig)
        yield* fill(other, manySizes)
        expect(store.directories[0]?.fault()).toBeUndefined()
      })
    )
  })
})

describe("checksums that are missing or torn", () => {
  for (const [what, harm] of [
    ["missing", (disk: Disk, path: string) => disk.unlink(path)],
    ["torn", (disk: Disk, path: string) => change(disk, path, (bytes) => bytes.subarray(0, bytes.length - 3))],
    ["blank", (disk: Disk, path: string) => change(disk, path, (bytes) => new Uint8Array(bytes.length))]
  ] as const)
    test(`${what}: no damage is reported, and checksums that are made from the log find later damage`, async () => {
      const { disk } = newDisk()
      await written(disk, manySizes)
      const [first = 0] = bases(disk)
      harm(disk, segmentPath(directory, first).checksum)
      expect(await scrubbed(disk)).toBeUndefined()
      expect(verifyLog(disk, directory, crc32c).findings).toEqual([])
      flip(disk, logOf(first), 12, 0)
      expect((await scrubbed(disk))?.message).toContain("bit 0 of byte 12 was turned over: it belongs to the leader epoch")
    })

  test("they are made also where passes are disabled", async () => {
    const { disk } = newDisk()
    await written(disk, manySizes)
    const { checksum: file } = segmentPath(directory, 0)
    disk.unlink(file)
    await inQuiet(
      Effect.gen(function* () {
        const store = yield* makeStore(disk, root, { ...atOnce, scrubIntervalMs: 0 })
        yield* store.open(topicId, 0, smallConfig)
        yield* waitFor(Effect.sync(() => disk.exists(file)))
      })
    )
  })
})

/** Counts the bytes that are read from the disk. */
const counted = (disk: Disk): { readonly disk: Disk; readonly read: () => number } => {
  let count = 0
  const open = (path: string, mode: "read" | "write" | "create"): DiskFile => {
    const file = disk.open(path, mode)
    const read = (into: Uint8Array, position: number): number => {
      const bytes = file.read(into, position)
      count += bytes
      return bytes
    }
    return Object.assign(Object.create(file) as DiskFile, { read })
  }
  return { disk: Object.assign(Object.create(disk) as Disk, { open }), read: () => count }
}

describe("a pass without segments", () => {
  const hourMs = 3_600_000
  const virtually = <A>(disk: Disk, use: (store: Store) => Effect.Effect<A, unknown, Scope.Scope>): Promise<A> =>
    new VirtualClock().run(
      Effect.scoped(Effect.flatMap(makeStore(disk, root, defaultStoreBounds), (store) => Effect.orDie(use(store)))).pipe(
        Effect.provide(checksum),
        Logger.withMinimumLogLevel(LogLevel.None)
      ) as Effect.Effect<A>,
      48 * hourMs
    )

  test("does not count: a log that is opened after its start is read soon, not after the interval", async () => {
    const { disk } = newDisk()
    await written(disk, manySizes)
    flip(disk, logOf(bases(disk)[0] as number), 100, 0)
    const fault = await virtually(disk, (store) =>
      Effect.gen(function* () {
        yield* Effect.sleep(hourMs)
        const log = yield* store.open(topicId, 0, smallConfig)
        expect(faultOf(log)).toBeUndefined()
        yield* Effect.sleep(120_000)
        return faultOf(log)
      })
    )
    expect(fault?.reason).toBe("corrupt")
  })

  test("does not end a pass that began before the restart", async () => {
    const { disk } = newDisk()
    await written(disk, manySizes)
    flip(disk, logOf(bases(disk)[2] as number), 100, 0)
    const fault = await virtually(disk, (store) =>
      Effect.gen(function* () {
        const begun = { v: 1, startedAt: 0, log: `${topicId}-0`, baseOffset: bases(disk)[1] }
        yield* store.writeCheckpoint("scrub", new TextEncoder().encode(JSON.stringify(begun)))
        yield* Effect.sleep(hourMs)
        const log = yield* store.open(topicId, 0, smallConfig)
        yield* Effect.sleep(120_000)
        return faultOf(log)
      })
    )
    expect(fault?.reason).toBe("corrupt")
  })
})

describe("the rate and the position of a pass", () => {
  const mebibyte = 1_048_576
  const large = Array.from({ length: 24 }, () => mebibyte / 4)
  const slow: StoreBounds = { ...defaultStoreBounds, scrubIntervalMs: 3_600_000, scrubFirstAfterMs: 1000, scrubBytesPerSecondMax: 65_536 }
  const config = { ...smallConfig, segmentBytesMax: mebibyte }

  test("it keeps to its rate limit, resumes at its position after a restart, and begins again after the interval", async () => {
    const { disk } = newDisk()
    const total = counted(disk)
    const life = <A>(use: (store: Store) => Effect.Effect<A, unknown>): Promise<A> =>
      new VirtualClock().run(
        Effect.scoped(
          Effect.flatMap(makeStore(total.disk, root, slow), (store) => Effect.zipRight(store.open(topicId, 0, config), Effect.orDie(use(store))))
        ).pipe(Effect.provide(checksum), Logger.withMinimumLogLevel(LogLevel.None)) as Effect.Effect<A>,
        2 * slow.scrubIntervalMs
      )
    await inQuiet(Effect.flatMap(makeStore(disk, root, never), (store) => Effect.flatMap(store.open(topicId, 0, config), (log) => fill(log, large))))
    const sealedBytes = bases(disk)
      .slice(0, -1)
      .reduce((sum, base) => sum + (disk.size(logOf(base)) ?? 0), 0)
    expect(sealedBytes).toBeGreaterThan(4 * mebibyte)
    const seconds = sealedBytes / slow.scrubBytesPerSecondMax

    const opening = total.read()
    await life(() => Effect.sleep(1))
    const toOpen = total.read() - opening
    const before = total.read()
    await life(() => Effect.sleep((seconds * 1000) / 2))
    const half = total.read() - before - toOpen
    expect(half).toBeGreaterThan(sealedBytes / 4)
    expect(half).toBeLessThan(sealedBytes * 0.6)
    await life((store) => Effect.zipRight(passed(store, 1000), Effect.sleep(slow.scrubIntervalMs / 2)))
    const rest = total.read() - before - half - 2 * toOpen
    expect(rest).toBeLessThan(sealedBytes * 0.9)
    expect(half + rest).toBeGreaterThan(sealedBytes * 0.95)
    await life(() => Effect.sleep(slow.scrubIntervalMs + 1_000_000))
    expect(total.read() - before - half - rest - 3 * toOpen).toBeGreaterThan(sealedBytes * 0.95)
  })
})
