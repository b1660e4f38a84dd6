import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { Checkpoints } from "../../../../adapters/log/disk/checkpoint.ts"
import { type Disk, makeDurableDirectory } from "../../../../adapters/log/disk/disk.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import { loopTurn } from "../../../../src/ports/event-loop.ts"

/** Calls `onWrite` with the bytes of each write. */
const watched = (disk: Disk, onWrite: (bytes: number) => void): Disk =>
  Object.assign(Object.create(disk) as Disk, {
    open: (path: string, mode: "create" | "write" | "read") => {
      const file = disk.open(path, mode)
      return Object.assign(Object.create(file), {
        write: (chunks: ReadonlyArray<Uint8Array>, at: number) => {
          onWrite(chunks.reduce((sum, { length }) => sum + length, 0))
          file.write(chunks, at)
        }
      })
    }
  })

const documentOf = (length: number, seed: number): Uint8Array => Uint8Array.from({ length }, (_, at) => (at * 31 + seed) & 0xff)
const large = 5 * 1024 * 1024 + 7

test("a large document is written in steps of a mebibyte, with turns of the event loop between them", async () => {
  const disk = new MemoryDisk()
  const sizes: Array<number> = []
  const program = Effect.gen(function* () {
    const session = disk.session()
    yield* makeDurableDirectory(session, "/data")
    const checkpoints = new Checkpoints(
      watched(session, (bytes) => sizes.push(bytes)),
      "/data",
      crc32c
    )
    yield* checkpoints.write("image", documentOf(10, 0))
    sizes.length = 0
    const document = documentOf(large, 1)
    let turns = 0
    const counting = yield* Effect.fork(Effect.forever(Effect.tap(loopTurn, () => Effect.sync(() => turns++))))
    yield* checkpoints.write("image", document)
    yield* Fiber.interrupt(counting)
    expect(sizes.length).toBe(6)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1024 * 1024 + 20)
    expect(turns).toBeGreaterThanOrEqual(4)
    expect(Buffer.compare((yield* checkpoints.read("image")) ?? new Uint8Array(0), document)).toBe(0)
  })
  await Effect.runPromise(program)
})

test("a write that fails between two steps leaves the document before it", async () => {
  const disk = new MemoryDisk()
  let writes = 0
  let failsAt = Number.POSITIVE_INFINITY
  const program = Effect.gen(function* () {
    const session = disk.session()
    yield* makeDurableDirectory(session, "/data")
    const failing = watched(session, () => {
      if (++writes === failsAt) throw new Error("EIO: the device reports an error")
    })
    const checkpoints = new Checkpoints(failing, "/data", crc32c)
    const before = documentOf(large, 2)
    yield* checkpoints.write("image", before)
    for (const step of [1, 3, 6]) {
      failsAt = writes + step
      expect((yield* Effect.flip(checkpoints.write("image", documentOf(large, 3)))).message).toContain("EIO")
      expect(Buffer.compare((yield* new Checkpoints(session, "/data", crc32c).read("image")) ?? new Uint8Array(0), before)).toBe(0)
    }
  })
  await Effect.runPromise(program)
})
