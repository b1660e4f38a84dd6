import { expect, test } from "bun:test"
import { Effect, Either } from "effect"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { segmentPath } from "../../../../adapters/log/segment/segment-files.ts"
import { SegmentList } from "../../../../adapters/log/segment/segment-list.ts"
import { ActiveSegment, SealedSegment } from "../../../../adapters/log/segment/segments.ts"
import { SharedCaches } from "../../../../adapters/log/segment/shared-caches.ts"
import { defaultStoreBounds, makeStore } from "../../../../adapters/log/store.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import { defaultLogConfig } from "../../../../src/ports/log-store.ts"
import { batch, checksum, topicId } from "../../../src/ports/log-batches.ts"

const directory = "/log"
const disk = new MemoryDisk().session()
disk.makeDirectory(directory)
const caches = new SharedCaches(disk, { openFilesMax: 8, indexBytesMax: 1000 })
const sealed = (baseOffset: number, endOffset: number) => new SealedSegment(caches, 4096, segmentPath(directory, baseOffset), baseOffset, endOffset, 100, -1)
const active = (baseOffset: number) =>
  new ActiveSegment({ disk, directory, crc32c }, disk.open(segmentPath(directory, baseOffset).log, "create"), baseOffset, defaultLogConfig, 0)
const listOf = (bases: ReadonlyArray<readonly [number, number]>, end: number) =>
  new SegmentList(disk, caches, { sealed: bases.map(([base, next]) => sealed(base, next)), active: active(end), isNew: false })

test("L6: segments that are not contiguous stop the node, wherever the gap is", () => {
  const whole = [
    [0, 10],
    [10, 25]
  ] as const
  expect(listOf(whole, 25).start).toBe(0)
  expect(() => listOf(whole, 26)).toThrow(/ends at offset 25, and the next one starts at 26/)
  expect(() => listOf([[0, 9], whole[1]], 25)).toThrow(/ends at offset 9, and the next one starts at 10/)
})

test("a compacted segment replaces its sources, and no other segment", () => {
  const list = listOf(
    [
      [0, 10],
      [10, 25],
      [25, 30]
    ],
    30
  )
  const [first, second] = list.sealed as [SealedSegment, SealedSegment]
  list.replace([first, second], sealed(0, 25))
  expect(list.extents.map(({ baseOffset, endOffset }) => [baseOffset, endOffset])).toEqual([
    [0, 25],
    [25, 30],
    [30, 30]
  ])
  // Retention deleted them meanwhile: no segment is replaced.
  list.replace([first], sealed(0, 10))
  expect(list.sealed).toHaveLength(2)
  expect(() => list.replace([list.sealed[0] as SealedSegment], sealed(0, 24))).toThrow(/ends at offset 24/)
})

test("L7: a reader whose high watermark is over the log's end is a bug, and stops the node", () =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const root = new MemoryDisk().session()
        root.makeDirectory("/data")
        const store = yield* makeStore(root, "/data", defaultStoreBounds)
        const log = yield* store.open(topicId, 0, defaultLogConfig)
        Either.getOrThrow(log.append([batch(0, 3)]))
        expect(Either.isRight(log.read(0, 1000, 3))).toBe(true)
        expect(() => log.read(0, 1000, 4)).toThrow(/up to offset 4, and it ends at 3/)
      })
    ).pipe(Effect.provide(checksum))
  ))
