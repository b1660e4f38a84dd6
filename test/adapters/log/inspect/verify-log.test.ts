import { describe, expect, test } from "bun:test"
import { Effect, Either } from "effect"
import fc from "fast-check"
import { type Disk, readOnly } from "../../../../adapters/log/disk/disk.ts"
import { planRepair, repairLog } from "../../../../adapters/log/inspect/repair-log.ts"
import { type VerifiedLog, verifyLog } from "../../../../adapters/log/inspect/verify-log.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { defaultStoreBounds, makeStore } from "../../../../adapters/log/store.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import { batch, batchesFrom, checksum, smallConfig, topicId } from "../../../src/ports/log-batches.ts"

const root = "/data"
const directory = `${root}/${topicId}-0`
const log0 = `${directory}/00000000000000000000.log`

const makeDisk = (): Disk => {
  const disk = new MemoryDisk().session()
  disk.makeDirectory(root)
  return disk
}
const opened = <A>(
  disk: Disk,
  use: (log: Effect.Effect.Success<ReturnType<Effect.Effect.Success<ReturnType<typeof makeStore>>["open"]>>) => Effect.Effect<A, unknown>
) =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const store = yield* makeStore(disk, root, defaultStoreBounds)
        return yield* use(yield* store.open(topicId, 0, smallConfig))
      })
    ).pipe(Effect.provide(checksum))
  )
/** A log of `count` batches in several segments, closed cleanly. */
const written = async (disk: Disk, count: number): Promise<void> =>
  opened(disk, (log) =>
    Effect.gen(function* () {
      for (let n = 0; n < count; n++) {
        Either.getOrThrow(log.append([batch(log.end(), 1 + (n % 3), 100, 1000 + ((n * 7) % 11) * 100, Math.floor(n / 10))]))
        yield* log.sync
      }
    })
  )
const change = (disk: Disk, path: string, use: (bytes: Uint8Array) => Uint8Array): void => {
  const file = disk.open(path, "create")
  const bytes = new Uint8Array(file.size())
  file.read(bytes, 0)
  const next = use(bytes)
  file.truncate(0)
  file.write([next], 0)
  file.close()
}
const flip = (disk: Disk, path: string, at: number, mask = 0xff): void =>
  change(disk, path, (bytes) => {
    bytes[at] = (bytes[at] as number) ^ mask
    return bytes
  })
const kinds = ({ findings }: VerifiedLog) => findings.map(({ kind }) => kind)
/** A disk on which every change fails the test, whatever its type says. */
const unchangeable = (disk: Disk): Disk => {
  const refuse = (): never => {
    throw new Error("a verification must change nothing")
  }
  const open: Disk["open"] = (path, mode) => {
    if (mode !== "read") return refuse()
    const file = disk.open(path, mode)
    return {
      ...file,
      path,
      read: file.read.bind(file),
      size: file.size.bind(file),
      close: file.close.bind(file),
      write: refuse,
      truncate: refuse,
      sync: Effect.sync(refuse),
      syncNow: refuse
    }
  }
  return {
    open,
    list: (path) => disk.list(path),
    exists: (path) => disk.exists(path),
    size: (path) => disk.size(path),
    makeDirectory: refuse,
    rename: refuse,
    unlink: refuse,
    removeDirectory: refuse,
    syncDirectory: refuse,
    space: () => undefined
  }
}
const check = (disk: Disk) => verifyLog(unchangeable(disk), directory, crc32c)
const logFiles = (disk: Disk) =>
  disk
    .list(directory)
    .filter((name) => name.endsWith(".log"))
    .sort()
const repair = (disk: Disk) => Effect.runPromise(repairLog(disk, directory, planRepair(disk, check(disk)), "20261122T150000Z", crc32c))

test("a read-only disk has no method that changes anything, nor have its files", () => {
  const disk = makeDisk()
  const file = disk.open(`${root}/file`, "create")
  file.write([new TextEncoder().encode("bytes")], 0)
  file.close()
  const inspected = readOnly(disk)
  expect(Object.keys(inspected).sort()).toEqual(["exists", "list", "open", "size"])
  expect(() => inspected.open(`${root}/none`, "read")).toThrow()
  // A caller that bypasses the type still opens for reading only.
  const opened = (inspected as Disk).open(`${root}/file`, "write")
  expect(Object.keys(opened).sort()).toEqual(["close", "path", "read", "size"])
  const bytes = new Uint8Array(5)
  expect([opened.read(bytes, 0), new TextDecoder().decode(bytes), opened.size(), opened.path]).toEqual([5, "bytes", 5, `${root}/file`])
  opened.close()
  expect(inspected.list(root)).toEqual(["file"])
})

describe("a log that the store wrote is valid", () => {
  test("any sequence of batches, closed cleanly or not (L6)", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ count: fc.integer({ min: 1, max: 5 }), valueBytes: fc.integer({ min: 0, max: 400 }) }), { maxLength: 30 }),
        fc.boolean(),
        async (sizes, isClosed) => {
          const disk = makeDisk()
          const all = batchesFrom(0, sizes)
          let early: VerifiedLog | undefined
          await opened(disk, (log) =>
            Effect.gen(function* () {
              for (const one of all) {
                Either.getOrThrow(log.append([one]))
                if (one.recordCount > 3) yield* log.sync
              }
              if (!isClosed) early = check(disk)
              yield* log.sync
            })
          )
          const found = isClosed ? check(disk) : (early as VerifiedLog)
          expect(found.findings).toEqual([])
          expect(found).toMatchObject({ batches: all.length, start: 0, end: all.at(-1)?.nextOffset ?? 0 })
          expect(found.bytes).toBe(all.reduce((sum, { bytes }) => sum + bytes.length, 0))
          expect(found.records).toBe(all.reduce((sum, { recordCount }) => sum + recordCount, 0))
        }
      ),
      { numRuns: 40 }
    ))
})

describe("damage is found", () => {
  const headerBytes = 21

  test("any flipped byte of any segment; after a repair the log is valid, opens, and has all batches before the damage", async () => {
    const whole = makeDisk()
    await written(whole, 30)
    expect(logFiles(whole).length).toBeGreaterThan(2)
    const ends: Array<number> = []
    let turnedBack = 0
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.nat(),
        fc.oneof(fc.integer({ min: 1, max: 255 }), fc.constantFrom(1, 2, 4, 8, 16, 32, 64, 128)),
        async (which, where, mask) => {
          const disk = makeDisk()
          await written(disk, 30)
          const names = logFiles(disk)
          const path = `${directory}/${names[which % names.length]}`
          const at = where % (disk.size(path) ?? 1)
          const before = check(disk)
          expect(before.findings).toEqual([])
          const isHeader = at - startOfBatch(disk, path, at) < headerBytes
          flip(disk, path, at, mask)
          const found = check(disk)
          expect(found.findings.length).toBeGreaterThan(0)
          expect(found.findings[0]).toMatchObject({ file: path })
          if (found.findings[0]?.kind === "name") return
          // The checksums can restore a header with one flipped bit; of several flipped bits they show only that it changed.
          const isOneBit = (mask & (mask - 1)) === 0
          if (isHeader) expect(kinds(found)).toContain(isOneBit || found.firstBreak === undefined ? "header" : "batch")
          const kept = await repair(disk)
          if (isHeader && (isOneBit || found.firstBreak === undefined)) {
            const again = check(disk)
            expect(kept).toEqual([])
            expect(again.findings).toEqual([])
            expect(again.end).toBe(before.end)
            turnedBack++
            return
          }
          expect(kept.length).toBeGreaterThan(0)
          const after = check(disk)
          expect(after.findings).toEqual([])
          const end = await opened(disk, (log) => Effect.sync(() => log.end()))
          expect(end).toBe(after.end)
          expect(end).toBe((found.firstBreak as { offset: number }).offset)
          ends.push(end)
        }
      ),
      { numRuns: 250 }
    )
    expect(new Set(ends).size).toBeGreaterThan(5)
    expect(turnedBack).toBeGreaterThan(0)
  }, 180_000)

  test("every change of the leader epoch at a segment's end is reported for that segment first, not for the next one", async () => {
    const disk = makeDisk()
    await written(disk, 30)
    for (const name of logFiles(disk)) {
      const path = `${directory}/${name}`
      const at = startOfBatch(disk, path, (disk.size(path) ?? 0) - 1) + 15
      for (let mask = 1; mask < 256; mask++) {
        flip(disk, path, at, mask)
        expect(check(disk).findings[0]).toMatchObject({ file: path })
        flip(disk, path, at, mask)
      }
    }
    expect(check(disk).findings).toEqual([])
  }, 300_000)

  /** Where the batch that holds byte `at` starts. */
  const startOfBatch = (disk: Disk, path: string, at: number): number => {
    const file = disk.open(path, "read")
    const bytes = new Uint8Array(file.size())
    file.read(bytes, 0)
    const view = new DataView(bytes.buffer)
    let position = 0
    while (position + 12 + view.getInt32(position + 8) <= at) position += 12 + view.getInt32(position + 8)
    return position
  }

  test("the removed bytes are kept unchanged, and later segments whole", async () => {
    const disk = makeDisk()
    await written(disk, 30)
    const names = logFiles(disk)
    const sizes = names.map((name) => disk.size(`${directory}/${name}`) ?? 0)
    flip(disk, `${directory}/${names[1]}`, 200)
    const cut = check(disk).firstBreak?.position ?? -1
    const kept = await repair(disk)
    const keptSizes = kept.filter((name) => name.includes(".log.cut-")).map((name) => disk.size(name))
    expect(keptSizes).toEqual([...sizes.slice(2).toReversed(), (sizes[1] ?? 0) - cut])
    expect(planRepair(disk, check(disk)).steps).toEqual([])
  })

  test("a repair that a power cut interrupted can be repeated, and loses nothing before the damage", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 25 }), fc.infiniteStream(fc.nat()), async (changes, chance) => {
        const memory = new MemoryDisk()
        const pick = (bound: number): number => (chance.next().value as number) % bound
        const disk = memory.session()
        disk.makeDirectory(root)
        await Effect.runPromise(Effect.promise(async () => written(disk, 30)))
        for (const path of ["/", root, directory]) await Effect.runPromise(disk.syncDirectory(path) as Effect.Effect<void, never>)
        flip(disk, `${directory}/${logFiles(disk)[1]}`, 200)
        for (const name of disk.list(directory))
          await Effect.runPromise(
            Effect.scoped(
              Effect.andThen(
                Effect.sync(() => disk.open(`${directory}/${name}`, "write")),
                ({ sync }) => sync
              )
            ) as Effect.Effect<void>
          )
        const { firstBreak } = check(disk)
        const plan = planRepair(disk, check(disk))
        memory.crashAfter(changes, pick)
        const done = await Effect.runPromiseExit(repairLog(disk, directory, plan, "20261122T150000Z", crc32c))
        if (done._tag === "Success") memory.crash(pick)
        const next = memory.session()
        await repair(next)
        const after = check(next)
        expect(kinds(after)).toEqual([])
        expect(after.end).toBe(firstBreak?.offset as number)
        expect(await opened(next, (log) => Effect.sync(() => log.end()))).toBe(after.end)
      }),
      { numRuns: 60 }
    )
  }, 300_000)

  test("a torn end after the durable bytes is distinguished from damage before it", async () => {
    const disk = makeDisk()
    await written(disk, 5)
    change(disk, log0, (bytes) => new Uint8Array([...bytes, ...batch(9, 1).bytes.subarray(0, 70)]))
    expect(kinds(check(disk))).toEqual(["torn"])
    await repair(disk)
    change(disk, log0, (bytes) => new Uint8Array([...bytes, ...new Uint8Array(5000)]))
    expect(check(disk).findings).toMatchObject([{ kind: "torn", meaning: expect.stringContaining("zeros stand here") }])
    expect(planRepair(disk, check(disk)).lost).toBeUndefined()
    await repair(disk)
    expect(kinds(check(disk))).toEqual([])
    change(disk, log0, (bytes) => bytes.subarray(0, bytes.length - 3))
    const found = check(disk)
    expect(kinds(found)).toEqual(["batch"])
    expect(found.findings[0]?.meaning).toContain("was durable")
    expect(planRepair(disk, found).lost).toEqual({ from: found.end, to: 9 })
    await repair(disk)
    expect(kinds(check(disk))).toEqual([])
    expect(await opened(disk, (log) => Effect.sync(() => log.end()))).toBe(found.end)
  })

  test("a missing segment, lost batches at the end, and a log without segments", async () => {
    const disk = makeDisk()
    await written(disk, 30)
    const names = logFiles(disk)
    disk.unlink(`${directory}/${names[1]}`)
    expect(kinds(check(disk))).toContain("gap")
    await repair(disk)
    expect(kinds(check(disk))).toEqual([])
    expect(await opened(disk, (log) => Effect.sync(() => log.end()))).toBe(Number(names[1]?.slice(0, 20)))

    change(disk, log0, () => new Uint8Array(0))
    expect(kinds(check(disk))).toContain("lost")
    await repair(disk)
    expect(kinds(check(disk))).toEqual([])
    await written(disk, 3)
    for (const name of disk.list(directory)) if (name.endsWith(".log")) disk.unlink(`${directory}/${name}`)
    expect(kinds(check(disk))).toEqual(["lost"])
    await repair(disk)
    expect(kinds(check(disk))).toEqual([])
    expect(await opened(disk, (log) => Effect.sync(() => log.start()))).toBe(6)
  })

  test("a segment under another's name is left to the operator", async () => {
    const disk = makeDisk()
    await written(disk, 3)
    disk.rename(log0, `${directory}/00000000000000000002.log`)
    const found = check(disk)
    expect(kinds(found)).toContain("name")
    expect(planRepair(disk, found)).toMatchObject({ steps: [], refusal: expect.stringContaining("Rename it") })
  })

  test("any change of an index is found or harmless; a missing index is built again", async () => {
    for (const suffix of ["index", "timeindex"]) {
      const disk = makeDisk()
      await written(disk, 30)
      const path = `${directory}/00000000000000000000.${suffix}`
      const size = disk.size(path) ?? 0
      expect(size).toBeGreaterThan(0)
      for (let at = 0; at < size; at++) {
        flip(disk, path, at, 0x11)
        const found = check(disk)
        expect(kinds(found)).toEqual(["index"])
        expect(found.findings[0]?.file).toBe(path)
        flip(disk, path, at, 0x11)
      }
      change(disk, path, (bytes) => bytes.subarray(0, size - 1))
      expect(kinds(check(disk))).toEqual(["index"])
      disk.unlink(path)
      expect(kinds(check(disk))).toEqual(["index"])
      expect(await repair(disk)).toEqual([])
      expect(kinds(check(disk))).toEqual([])
      // As dense as a node's defaults make it, which is less dense here than before.
      expect(disk.size(path)).toBeLessThan(size)
    }
  })

  test("a damaged recovery point is moved aside, and the next start reads the whole log", async () => {
    const disk = makeDisk()
    await written(disk, 5)
    change(disk, `${directory}/recovery-point`, (bytes) => bytes.map((byte) => byte ^ 0xff))
    expect(kinds(check(disk))).toEqual(["unreadable"])
    expect((await repair(disk)).length).toBe(1)
    expect(kinds(check(disk))).toEqual([])
    expect(await opened(disk, (log) => Effect.sync(() => log.end()))).toBe(9)
  })
})
