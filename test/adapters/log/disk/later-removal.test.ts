import { expect, test } from "bun:test"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Fiber } from "effect"
import { removeFile } from "../../../../adapters/log/disk/disk.ts"
import { LaterRemoval } from "../../../../adapters/log/disk/later-removal.ts"
import { nodeDisk } from "../../../../adapters/log/file/node-disk.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"

/** A disk whose removals end when the test releases them. */
const slowDisk = () => {
  const begun: Array<string> = []
  const ends: Array<() => void> = []
  const unlinkApart = (path: string) =>
    Effect.async<void>((resume) => {
      begun.push(path)
      ends.push(() => resume(Effect.void))
    })
  return { disk: { ...new MemoryDisk().session(), unlinkApart }, begun, ends }
}
const settled = Effect.promise(() => Bun.sleep(1))

test("files are removed one at a time; a closed log waits for the removal in progress and leaves the rest to the next start", () =>
  Effect.runPromise(
    Effect.gen(function* () {
      const { begun, disk, ends } = slowDisk()
      const removal = new LaterRemoval(disk)
      yield* Effect.fork(removal.after(0, ["/a", "/b", "/c"], () => true))
      while (begun.length < 1) yield* settled
      ends[0]?.()
      while (begun.length < 2) yield* settled
      const closing = yield* Effect.fork(removal.close)
      yield* settled
      expect((yield* Fiber.poll(closing))._tag).toBe("None")
      ends[1]?.()
      yield* Fiber.join(closing)
      yield* settled
      expect(begun).toEqual(["/a", "/b"])
    })
  ))

test("no file is removed when the log was closed before the delay, or when removal is not permitted", () =>
  Effect.runPromise(
    Effect.gen(function* () {
      const { begun, disk } = slowDisk()
      const removal = new LaterRemoval(disk)
      yield* removal.after(0, ["/a"], () => false)
      const later = yield* Effect.fork(removal.after(60_000, ["/b"], () => true))
      yield* settled
      yield* removal.close
      yield* Fiber.join(later)
      expect(begun).toEqual([])
    })
  ))

test("a real file is removed off the event loop, and a missing file is an error with its code", async () => {
  const directory = fs.mkdtempSync(join(tmpdir(), "franz-removal-"))
  fs.writeFileSync(join(directory, "a"), "x")
  await Effect.runPromise(removeFile(nodeDisk, join(directory, "a")))
  expect(fs.readdirSync(directory)).toEqual([])
  expect(await Effect.runPromise(Effect.flip(removeFile(nodeDisk, join(directory, "a"))))).toMatchObject({ code: "ENOENT" })
  fs.rmSync(directory, { recursive: true })
})
