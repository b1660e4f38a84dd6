import { describe, expect, test } from "bun:test"
import { Effect, Either, Exit, Scope } from "effect"
import fc from "fast-check"
import type { Disk } from "../../../../adapters/log/disk/disk.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { chainOf, readChecksum } from "../../../../adapters/log/segment/segment-checksum.ts"
import { segmentPath } from "../../../../adapters/log/segment/segment-files.ts"
import { defaultStoreBounds, makeStore } from "../../../../adapters/log/store.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import { baseOffsetOfLogFile } from "../../../../domain/log/segment.ts"
import { batch, checksum, smallConfig, topicId } from "../../../src/ports/log-batches.ts"

const root = "/data"
const directory = `${root}/${topicId}-0`

/** Opens the log and appends `sizes`; closes it cleanly, or ends as a killed process does. */
const life = (disk: Disk, sizes: ReadonlyArray<number>, isClosed: boolean): Promise<void> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const store = yield* Scope.extend(makeStore(disk, root, defaultStoreBounds), scope)
      const log = yield* Scope.extend(store.open(topicId, 0, smallConfig), scope)
      for (const size of sizes) {
        Either.getOrThrow(log.append([batch(log.end(), 1, size)]))
        yield* log.sync
      }
      if (isClosed) yield* Scope.close(scope, Exit.void)
    }).pipe(Effect.provide(checksum))
  )

const bases = (disk: Disk): ReadonlyArray<number> =>
  disk
    .list(directory)
    .map(baseOffsetOfLogFile)
    .filter((base) => base !== undefined)
    .sort((one, other) => one - other)

/** The content of a segment's checksum file, and what its log gives. */
const both = (disk: Disk, baseOffset: number) => {
  const path = segmentPath(directory, baseOffset)
  const sizeInBytes = disk.size(path.log) ?? 0
  const file = disk.open(path.log, "read")
  const { chain } = chainOf(file, sizeInBytes)
  file.close()
  return { said: readChecksum(disk, { path, baseOffset, sizeInBytes }, crc32c)?.entries, found: chain.entries() }
}

describe("the checksum file of a segment", () => {
  test("exists for every sealed segment and matches it, after any clean closes and kills", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ sizes: fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 12 }), isClosed: fc.boolean() }), { maxLength: 5 }),
        async (lives) => {
          const memory = new MemoryDisk()
          memory.session().makeDirectory(root)
          for (const { isClosed, sizes } of lives) await life(memory.session(), sizes, isClosed)
          const disk = memory.session()
          for (const base of lives.length === 0 ? [] : bases(disk).slice(0, -1)) {
            const { found, said } = both(disk, base)
            expect(said).toEqual(found)
          }
          // After a clean close the last segment has one, too.
          if (lives.at(-1)?.isClosed === true) {
            const { found, said } = both(disk, bases(disk).at(-1) as number)
            expect(said).toEqual(found)
          }
        }
      ),
      { numRuns: 60 }
    ))

  test("that a clean close left is not trusted when it is another segment's, and is removed", async () => {
    const memory = new MemoryDisk()
    const disk = memory.session()
    disk.makeDirectory(root)
    await life(disk, [100], true)
    const { checksum: file } = segmentPath(directory, 0)
    const open = disk.open(file, "write")
    const bytes = new Uint8Array(open.size())
    open.read(bytes, 0)
    bytes[24 + 4] = (bytes[24 + 4] as number) ^ 1
    const body = bytes.length - 4
    new DataView(bytes.buffer).setUint32(body, crc32c(bytes, 0, body))
    open.write([bytes], 0)
    open.close()
    await life(memory.session(), [100, 100], true)
    expect(memory.session().exists(file)).toBe(false)
  })

  test("is removed with its segment", async () => {
    const memory = new MemoryDisk()
    memory.session().makeDirectory(root)
    const disk = memory.session()
    await life(disk, [700, 700, 700, 700, 700, 700], true)
    expect(bases(disk).length).toBeGreaterThan(2)
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const store = yield* makeStore(disk, root, defaultStoreBounds)
          const log = yield* store.open(topicId, 0, { ...smallConfig, fileDeleteDelayMs: 0 })
          yield* log.deleteBefore(log.end())
          while (disk.list(directory).some((name) => name.endsWith(".deleted"))) yield* Effect.sleep("1 millis")
        })
      ).pipe(Effect.provide(checksum))
    )
    const names = disk.list(directory)
    expect(names.filter((name) => name.endsWith(".log"))).toHaveLength(1)
    expect(names.filter((name) => name.endsWith(".checksum")).length).toBeLessThanOrEqual(1)
  })
})
