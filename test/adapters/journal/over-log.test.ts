import { describe, expect, test } from "bun:test"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Cause, Effect, Either, Exit, Layer } from "effect"
import fc from "fast-check"
import { layerMemory, MemoryStreams } from "../../../adapters/journal/memory.ts"
import { layer as journal } from "../../../adapters/journal/over-log.ts"
import { layer as fileStore } from "../../../adapters/log/file/layer.ts"
import { layer as memoryStore } from "../../../adapters/log/memory/layer.ts"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { Bug } from "../../../domain/kernel/bug.ts"
import { Journal } from "../../../src/ports/journal.ts"
import { LogStore, type PartitionLog } from "../../../src/ports/log-store.ts"
import { candidate, entry, type JournalWorld, journalContract, readAll, stream, withJournal } from "../../src/ports/journal.contract.ts"
import { checksum } from "../../src/ports/log-batches.ts"
import { scriptedJournal } from "../../src/stream/scripted-journal.ts"

/** By hand: FRANZ_JOURNAL_APPENDS=1000000. */
const appendsAtMost = (count: number): number => Number(process.env.FRANZ_JOURNAL_APPENDS ?? count)

const fileWorld = (): JournalWorld => {
  const directory = fs.mkdtempSync(join(tmpdir(), "franz-journal-"))
  return {
    layer: journal.pipe(Layer.provide(fileStore({ directory })), Layer.provide(checksum)),
    end: () => fs.rmSync(directory, { recursive: true, force: true }),
    rivalAppends: appendsAtMost(5000)
  }
}
const memoryWorld = (disk: MemoryDisk, bounds: Parameters<typeof memoryStore>[1] = {}): JournalWorld => ({
  layer: journal.pipe(Layer.provide(memoryStore(disk, bounds)), Layer.provide(checksum)),
  end: () => undefined,
  rivalAppends: appendsAtMost(20_000)
})

journalContract("over files", fileWorld)
journalContract("over memory", () => memoryWorld(new MemoryDisk()))
journalContract("in memory", () => ({ layer: layerMemory(new MemoryStreams()), end: () => undefined, rivalAppends: appendsAtMost(100_000) }))
// The double on which the leader's tests run: if it accepted more than the journal, it would hide a bug of the writer.
journalContract("scripted", () => ({ layer: scriptedJournal().layer, end: () => undefined, rivalAppends: appendsAtMost(1000) }))

const segment = "/data/AAAAAAAAAAAAAAAAAAAAAQ-0/00000000000000000000.log"

describe("a journal whose disk fails", () => {
  test(
    "M1, L1: after a power cut at any change, what was answered is there, whole appends only, and no epoch is given twice",
    () =>
      fc.assert(
        fc.asyncProperty(
          fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 10 }),
          fc.integer({ min: 1, max: 60 }),
          fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 4, maxLength: 4 }),
          async (sizes, changes, draws) => {
            const disk = new MemoryDisk()
            const world = memoryWorld(disk)
            let draw = 0
            const pick = (bound: number) => Math.floor((draws[draw++ % draws.length] ?? 0) * bound)
            const appends: Array<number> = []
            const epochs: Array<number> = []
            let answered = 0
            disk.crashAfter(changes, pick)
            const living = withJournal(world, (service) =>
              Effect.gen(function* () {
                const { epoch } = yield* service.campaign(stream, candidate)
                epochs.push(epoch)
                for (const size of sizes) {
                  const at = appends.reduce((sum, each) => sum + each, 0)
                  appends.push(size)
                  yield* service.append(
                    stream,
                    epoch,
                    at,
                    Array.from({ length: size }, (_, i) => entry(at + i))
                  )
                  answered = at + size
                }
              })
            )
            await living.catch(() => undefined)
            disk.crash(pick)
            await withJournal(world, (service) =>
              Effect.gen(function* () {
                const { end, epoch } = yield* service.campaign(stream, candidate)
                expect(epochs).not.toContain(epoch)
                expect(end).toBeGreaterThanOrEqual(answered)
                let sum = 0
                expect([0, ...appends.map((size) => (sum += size))]).toContain(end)
                expect((yield* readAll(service, 0)).map(({ commandId }) => commandId)).toEqual(Array.from({ length: end }, (_, i) => `command-${i}`))
              })
            )
          }
        ),
        { numRuns: 200 }
      ),
    300_000
  )

  test("an append whose sync failed has an unknown result, and the stream refuses later ones; the next start reads what was stored", async () => {
    const disk = new MemoryDisk()
    const world = memoryWorld(disk)
    let before = -1
    await withJournal(world, (service) =>
      Effect.gen(function* () {
        const { epoch } = yield* service.campaign(stream, candidate)
        before = epoch
        yield* service.append(stream, epoch, 0, [entry(0)])
        disk.failSyncs(1)
        expect(yield* Effect.flip(service.append(stream, epoch, 1, [entry(1)]))).toMatchObject({ _tag: "Unknown" })
        expect(yield* Effect.flip(service.append(stream, epoch, 1, [entry(1)]))).toMatchObject({ _tag: "Unknown" })
        // The directory goes offline, too: another leader in this process would trust a disk with unknown content.
        expect((yield* Effect.flip(service.campaign(stream, candidate))).reason).toBe("offline")
      })
    )
    await withJournal(world, (service) =>
      Effect.gen(function* () {
        const again = yield* service.campaign(stream, candidate)
        expect([again.end, again.epoch > before]).toEqual([2, true])
        expect(yield* Effect.flip(service.append(stream, before, 2, [entry(2)]))).toMatchObject({ _tag: "Fenced" })
        yield* service.append(stream, again.epoch, 2, [entry(2)])
        expect(yield* readAll(service, 0)).toHaveLength(3)
      })
    )
  })

  test("a full disk refuses an append and stores nothing of it; the same holder continues when there is room", () => {
    const disk = new MemoryDisk()
    return withJournal(memoryWorld(disk), (service) =>
      Effect.gen(function* () {
        const { epoch } = yield* service.campaign(stream, candidate)
        yield* service.append(stream, epoch, 0, [entry(0)])
        const size = disk.contents(segment).length
        disk.capacityBytes = disk.usedBytes + 50
        expect(yield* Effect.flip(service.append(stream, epoch, 1, [entry(1)]))).toMatchObject({ _tag: "NotWritten", cause: { reason: "full" } })
        expect(disk.contents(segment)).toHaveLength(size)
        disk.capacityBytes = Number.POSITIVE_INFINITY
        yield* service.append(stream, epoch, 1, [entry(1)])
        expect(yield* readAll(service, 0)).toHaveLength(2)
      })
    )
  })

  test("damage in an entry, and an end before the snapshot: the journal is not opened; damage while it is open stops readers and followers", async () => {
    const disk = new MemoryDisk()
    const world = memoryWorld(disk)
    await withJournal(world, (service) =>
      Effect.gen(function* () {
        const { epoch } = yield* service.campaign(stream, candidate)
        for (let n = 0; n < 30; n++) yield* service.append(stream, epoch, n, [entry(n, 1000)])
        yield* service.saveSnapshot(stream, { index: 25, value: new Uint8Array(3) })
      })
    )
    const whole = disk.contents(segment)
    const flipped = disk.copy()
    flipped.overwrite(
      segment,
      whole.map((byte, at) => (at === 5000 ? byte ^ 1 : byte))
    )
    await withJournal(memoryWorld(flipped), (service) =>
      Effect.gen(function* () {
        expect(yield* Effect.flip(service.campaign(stream, candidate))).toMatchObject({ _tag: "LogFault", reason: "corrupt", path: segment })
      })
    )
    const open = disk.copy()
    await withJournal(memoryWorld(open), (service) =>
      Effect.gen(function* () {
        const { lost } = yield* service.campaign(stream, candidate)
        expect(Either.isRight(service.batches(stream, 0, 20_000))).toBe(true)
        open.overwrite(segment, flipped.contents(segment))
        expect(yield* Effect.flip(readAll(service, 0))).toMatchObject({ _tag: "LogFault", reason: "corrupt" })
        expect(service.batches(stream, 0, 20_000)).toMatchObject({ _tag: "Left", left: { reason: "corrupt" } })
        expect((yield* Effect.flip(lost)).message).toContain("franz log verify /data/AAAAAAAAAAAAAAAAAAAAAQ-0")
      })
    )
    const emptied = disk.copy()
    for (const name of emptied.session().list("/data/AAAAAAAAAAAAAAAAAAAAAQ-0")) emptied.session().unlink(`/data/AAAAAAAAAAAAAAAAAAAAAQ-0/${name}`)
    await withJournal(memoryWorld(emptied), (service) =>
      Effect.map(Effect.flip(service.campaign(stream, candidate)), (fault) => expect(fault).toMatchObject({ _tag: "LogFault", reason: "corrupt" }))
    )
  })
})

test("M3: a flipped bit in a sealed part of a journal ends the leadership before any of its events is folded, at once and at the next start", async () => {
  const disk = new MemoryDisk()
  const world = memoryWorld(disk, { scrubFirstAfterMs: 0, scrubIntervalMs: 1, scrubBytesPerSecondMax: Number.POSITIVE_INFINITY })
  const damaged = `${segment} is damaged at byte 13 (offset 0 or one after it): bit 3 of byte 13 was turned over`
  await withJournal(world, (service) =>
    Effect.gen(function* () {
      const { lost: found, end, epoch } = yield* service.campaign(stream, candidate)
      // A journal's segments have 64 MiB.
      for (let n = end; n < 3; n++) yield* service.append(stream, epoch, n, [entry(n, 34_000_000)])
      const file = disk.session().open(segment, "write")
      const byte = new Uint8Array(1)
      file.read(byte, 13)
      file.write([byte.map((before) => before ^ 8)], 13)
      expect((yield* Effect.flip(found)).message).toContain(damaged)
      expect(yield* Effect.flip(service.append(stream, epoch, 3, [entry(3)]))).toMatchObject({ _tag: "Unknown", cause: { reason: "corrupt" } })
      expect(yield* Effect.flip(readAll(service, 0))).toMatchObject({ reason: "corrupt" })
    })
  )
  await withJournal(world, (service) =>
    Effect.gen(function* () {
      expect((yield* Effect.flip(service.campaign(stream, candidate))).message).toContain(damaged)
    })
  )
}, 300_000)

test("a sync that ends without making the entries durable is a bug, not a result", async () => {
  const lying = Layer.effect(
    LogStore,
    Effect.map(LogStore, (store) => ({
      ...store,
      open: (...where: Parameters<typeof store.open>) => Effect.map(store.open(...where), (log) => unsynced(log))
    }))
  ).pipe(Layer.provide(memoryStore(new MemoryDisk())))
  const world: JournalWorld = { layer: journal.pipe(Layer.provide(lying), Layer.provide(checksum)), end: () => undefined, rivalAppends: 0 }
  const exit = await Effect.runPromiseExit(
    Effect.scoped(
      Effect.gen(function* () {
        const service = yield* Journal
        const { epoch } = yield* service.campaign(stream, candidate)
        yield* service.append(stream, epoch, 0, [entry(0)])
      })
    ).pipe(Effect.provide(world.layer))
  )
  expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toBeInstanceOf(Bug)
})

/** The log with a sync that does nothing once the log has a record. */
const unsynced = (log: PartitionLog): PartitionLog =>
  new Proxy(log, {
    get: (of, name) => {
      if (name === "sync" && of.end() > 0) return Effect.void
      const member: unknown = Reflect.get(of, name, of)
      return typeof member === "function" ? member.bind(of) : member
    }
  })
