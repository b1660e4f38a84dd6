import { describe, expect, test } from "bun:test"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Either, Logger } from "effect"
import { layer } from "../../../../adapters/log/file/layer.ts"
import type { StoreBounds } from "../../../../adapters/log/store.ts"
import { defaultLogConfig, LogStore } from "../../../../src/ports/log-store.ts"
import { batchesFrom, batchesIn, checksum, hexOf, topicId } from "../../../src/ports/log-batches.ts"
import { logCutContract } from "../../../src/ports/log-cut.contract.ts"
import { logFollowerContract } from "../../../src/ports/log-follower.contract.ts"
import { logFiles, logStoreContract, openLog, put, readAll, type StoreWorld, within } from "../../../src/ports/log-store.contract.ts"

const fileWorld = (directory: string, bounds: Partial<StoreBounds> = {}): StoreWorld => ({
  layer: layer({ directory, ...bounds }),
  list: (path) => fs.readdirSync(join(directory, path)),
  read: (path) => new Uint8Array(fs.readFileSync(join(directory, path))),
  write: (path, bytes) => fs.writeFileSync(join(directory, path), bytes),
  remove: (path) => fs.unlinkSync(join(directory, path)),
  copy: () => {
    const other = fs.mkdtempSync(join(tmpdir(), "franz-log-"))
    fs.cpSync(directory, other, { recursive: true })
    return fileWorld(other, bounds)
  },
  end: () => fs.rmSync(directory, { recursive: true, force: true })
})

logStoreContract("file", () => fileWorld(fs.mkdtempSync(join(tmpdir(), "franz-log-"))), { damageStride: 61 })
logFollowerContract("file", () => fileWorld(fs.mkdtempSync(join(tmpdir(), "franz-log-"))))
logCutContract("file", () => fileWorld(fs.mkdtempSync(join(tmpdir(), "franz-log-"))), { runs: 15 })
logCutContract("file, with shared syncs", () => fileWorld(fs.mkdtempSync(join(tmpdir(), "franz-log-")), { crowdMin: 0 }), { runs: 15 })

const temporary = () => fs.mkdtempSync(join(tmpdir(), "franz-log-"))

describe("files on a real disk", () => {
  test("one append writes many chunks, and a read returns them", async () => {
    const world = fileWorld(temporary())
    await within(world, (store) =>
      Effect.gen(function* () {
        const log = yield* store.open(topicId, 0, defaultLogConfig)
        // More than one system call accepts.
        const batches = batchesFrom(
          0,
          Array.from({ length: 2500 }, (_, i) => ({ count: 1, valueBytes: i % 7 }))
        )
        Either.getOrThrow(log.append(batches))
        yield* log.sync
        expect(log.syncedEnd()).toBe(2500)
      })
    )
    await within(world, (store) =>
      Effect.gen(function* () {
        const log = yield* store.open(topicId, 0, defaultLogConfig)
        const found = batchesIn(Either.getOrThrow(log.read(0, 10_000_000, 2500)))
        expect(found.map(({ baseOffset }) => baseOffset)).toEqual(Array.from({ length: 2500 }, (_, i) => i))
      })
    )
    world.end()
  })

  test("old segments are read with few files open, few indexes in memory, and no tail in memory at all", async () => {
    const directory = temporary()
    const bounds = { openFilesMax: 2, indexBytesMax: 16, tailBytesMaxPerLog: 0, tailBytesMax: 0 }
    const used = Effect.flatMap(LogStore, (store) =>
      Effect.gen(function* () {
        const log = yield* openLog(store)
        const batches = batchesFrom(
          0,
          Array.from({ length: 60 }, (_, i) => ({ count: 2, valueBytes: 100 + i }))
        )
        put(log, ...batches)
        for (const from of [0, 118, 60, 3, 99, 41, 80, 1]) {
          const found = batchesIn(Either.getOrThrow(log.read(from, 5000, log.end())))
          const first = Math.floor(from / 2)
          expect(hexOf(found)).toEqual(hexOf(batches.slice(first, first + found.length)))
          expect(found.length).toBeGreaterThan(0)
        }
        expect(hexOf(readAll(log))).toEqual(hexOf(batches))
      })
    )
    await Effect.runPromise(used.pipe(Effect.scoped, Effect.provide(layer({ directory, ...bounds })), Effect.provide(checksum)))
    fs.rmSync(directory, { recursive: true })
  })

  test("a torn tail is reported in one line: the file, the position, the bytes", async () => {
    const world = fileWorld(temporary())
    let image: StoreWorld | undefined
    await within(world, (store) =>
      Effect.map(openLog(store), (log) => {
        put(
          log,
          ...batchesFrom(0, [
            { count: 1, valueBytes: 10 },
            { count: 1, valueBytes: 10 }
          ])
        )
        image = world.copy()
      })
    )
    const torn = image as StoreWorld
    const path = logFiles(torn)[0] as string
    const whole = torn.read(path)
    torn.write(path, whole.slice(0, -5))
    const lines: Array<string> = []
    const logger = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ logLevel, message }) => void lines.push(`${logLevel.label} ${String(message)}`))
    )
    await Effect.runPromise(Effect.flatMap(LogStore, openLog).pipe(Effect.scoped, Effect.provide(torn.layer), Effect.provide(checksum), Effect.provide(logger)))
    const half = whole.length / 2
    expect(lines).toEqual([
      expect.stringMatching(new RegExp(`^WARN Torn tail cut: .*0\\.log lost ${half - 5} bytes from byte ${half} on, the log ends before offset 1 now`))
    ])
    torn.end()
    world.end()
  })
})
