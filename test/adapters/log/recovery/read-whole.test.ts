import { describe, expect, test } from "bun:test"
import { Effect, Either, Logger, LogLevel } from "effect"
import fc from "fast-check"
import { layer } from "../../../../adapters/log/memory/layer.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { type RecordBatch, readableBatches } from "../../../../domain/log/batch.ts"
import { LogStore } from "../../../../src/ports/log-store.ts"
import { batch, checksum, smallConfig, topicId } from "../../../src/ports/log-batches.ts"

const config = { ...smallConfig, segmentBytesMax: 900, readsWholeAtOpen: true }
const directory = `/data/${topicId}-0`

const within = <A, E>(disk: MemoryDisk, effect: Effect.Effect<A, E, LogStore>) =>
  Effect.runPromise(Effect.either(effect).pipe(Effect.provide(layer(disk)), Effect.provide(checksum), Logger.withMinimumLogLevel(LogLevel.None)))
const opening = (disk: MemoryDisk) => within(disk, Effect.scoped(Effect.flatMap(LogStore, (store) => store.open(topicId, 0, config))))

/** A log of several segments after a clean close, and their files in order. */
const written = async () => {
  const disk = new MemoryDisk()
  await within(
    disk,
    Effect.scoped(
      Effect.flatMap(LogStore, (store) =>
        Effect.flatMap(store.open(topicId, 0, config), (log) =>
          Effect.forEach(Array.from({ length: 16 }), (_, n) => Effect.zipRight(log.append([batch(log.end(), 1 + (n % 3), 60)]), log.sync))
        )
      )
    )
  )
  const files = disk
    .session()
    .list(directory)
    .filter((name) => name.endsWith(".log"))
    .sort()
    .map((name) => `${directory}/${name}`)
  return { disk, files }
}
const isCorrupt = (opened: Awaited<ReturnType<typeof opening>>): void => {
  expect(opened).toMatchObject({ _tag: "Left", left: { reason: "corrupt" } })
  expect(Either.isLeft(opened) && opened.left.message).toContain(directory)
}

/** Bytes 12 to 15 of a batch are its leader epoch, which may rise: of the last batch no other tells that it did not. */
const isEpochOfLast = (bytes: Uint8Array, at: number): boolean => {
  const last = Either.getOrThrow(readableBatches(bytes)).at(-1) as RecordBatch
  const from = bytes.length - last.sizeInBytes
  return at >= from + 12 && at < from + 16
}

describe("a log that is read whole when it is opened", () => {
  test("any flipped bit of any cleanly closed segment: corrupt, with the file and what to do", async () => {
    const { disk: whole, files } = await written()
    expect(files.length).toBeGreaterThan(3)
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...files), fc.nat(1_000_000), fc.nat(7), async (path, anywhere, bit) => {
        const disk = whole.copy()
        const bytes = disk.contents(path)
        const at = anywhere % bytes.length
        fc.pre(path !== files.at(-1) || !isEpochOfLast(bytes, at))
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
        disk.overwrite(path, bytes)
        const opened = await opening(disk)
        isCorrupt(opened)
        expect(Either.isLeft(opened) && opened.left.message).toContain("franz log verify")
      }),
      { numRuns: 300 }
    )
  })

  test("a missing segment (retention deletes the first), or two swapped segments: corrupt", async () => {
    const { disk: whole, files } = await written()
    expect(Either.isRight(await opening(whole.copy()))).toBe(true)
    for (const path of files.slice(1)) {
      const disk = whole.copy()
      disk.unlink(path)
      isCorrupt(await opening(disk))
    }
    const [first = "", second = ""] = files
    const disk = whole.copy()
    const swapped = disk.contents(first)
    disk.overwrite(first, disk.contents(second))
    disk.overwrite(second, swapped)
    isCorrupt(await opening(disk))
  })

  test("without that, the opening trusts a clean close: it does not look for damage before the last batches", async () => {
    const { disk, files } = await written()
    const bytes = disk.contents(files[0] ?? "")
    bytes[70] = (bytes[70] ?? 0) ^ 1
    disk.overwrite(files[0] ?? "", bytes)
    const opened = await within(disk, Effect.scoped(Effect.flatMap(LogStore, (store) => store.open(topicId, 0, { ...config, readsWholeAtOpen: false }))))
    expect(Either.isRight(opened)).toBe(true)
  })
})
