import { describe, expect, test } from "bun:test"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Either } from "effect"
import type { VolumeRound } from "../../../../adapters/log/disk/volume-sync.ts"
import { layer } from "../../../../adapters/log/file/layer.ts"
import { syncableVolume } from "../../../../adapters/log/file/syncfs.ts"
import type { LogDirectory } from "../../../../adapters/log/log-directory.ts"
import { defaultLogConfig, LogStore, type PartitionLog } from "../../../../src/ports/log-store.ts"
import { batch, checksum, topicId } from "../../../src/ports/log-batches.ts"
import { readAll } from "../../../src/ports/log-store.contract.ts"

const directory = () => fs.mkdtempSync(join(tmpdir(), "franz-syncfs-"))
const here = directory()
const volume = syncableVolume(here)
volume?.close()
fs.rmSync(here, { recursive: true })

test("a directory that is missing, and a file system that does not report errors by syncfs, have no volume", () => {
  expect(syncableVolume("/there/is/no/such")).toBeUndefined()
  if (process.platform === "linux") expect(syncableVolume("/proc")).toBeUndefined()
})

describe.skipIf(volume === undefined)("syncfs on this machine", () => {
  test("the thread covers what was asked before a sync, one sync after the other, until it is closed", async () => {
    const root = directory()
    const at = syncableVolume(root)
    const rounds: Array<VolumeRound> = []
    let tell = (): void => undefined
    const thread = at?.start((round) => {
      rounds.push(round)
      tell()
    })
    const until = async (isSo: () => boolean) => {
      while (!isSo()) await new Promise<void>((resolve) => (tell = resolve))
    }
    await until(() => rounds.length === 1)
    expect(rounds[0]).toEqual({ covered: 0, error: undefined, ms: 0 })
    const ticket = thread?.ask()
    await until(() => rounds.at(-1)?.covered === ticket)
    thread?.pause(60_000)
    thread?.ask()
    thread?.ask()
    // The pause of a minute ends at once.
    const hurried = setInterval(() => thread?.hurry(), 1)
    await until(() => rounds.at(-1)?.covered === 3)
    clearInterval(hurried)
    expect(rounds.map(({ error }) => error)).toEqual(rounds.map(() => undefined))
    thread?.close()
    at?.close()
    fs.rmSync(root, { recursive: true })
  })

  test("logs that share their syncs have on the disk what they acknowledged, through rolls and a close", async () => {
    const root = directory()
    const config = { ...defaultLogConfig, segmentBytesMax: 2000 }
    const partitions = [0, 1, 2, 3]
    const perLog = { least: 50, most: 500 }
    const ends: Array<number> = []
    const used = Effect.gen(function* () {
      const store = yield* LogStore
      const [at] = store.directories as ReadonlyArray<LogDirectory>
      const logs = yield* Effect.forEach(partitions, (partition) => store.open(topicId, partition, config))
      // On a slow disk the logs may return to syncs of their own for minutes after a few rounds: one round is required, and 20 are awaited for 500 records.
      const isEnough = (log: PartitionLog) => {
        const rounds = at?.shared.rounds ?? 0
        const needed = log.end() < perLog.most ? 20 : 1
        return log.end() >= perLog.least && (rounds >= needed || at?.shared.isPossible !== true)
      }
      const one = (log: PartitionLog) =>
        Effect.suspend(() => {
          const offset = log.end()
          Either.getOrThrow(log.append([batch(offset, 1, 100)]))
          return Effect.async<boolean>(
            (resume) => void log.whenSynced(offset, (fault) => resume(Effect.succeed(fault === undefined && log.syncedEnd() > offset)))
          )
        })
      const many = (log: PartitionLog) =>
        Effect.repeat(
          Effect.tap(one(log), (isSynced) => Effect.sync(() => expect(isSynced).toBe(true))),
          { until: () => isEnough(log) }
        )
      yield* Effect.forEach(logs, many, { concurrency: "unbounded" })
      ends.push(...logs.map((log) => log.syncedEnd()))
      expect(at?.shared.rounds).toBeGreaterThanOrEqual(1)
    })
    const world = layer({ directory: root, crowdMin: 0, noteMs: 5 })
    await Effect.runPromise(Effect.scoped(used).pipe(Effect.provide(world), Effect.provide(checksum)))
    const reopened = Effect.gen(function* () {
      const store = yield* LogStore
      for (const partition of partitions) {
        const log = yield* store.open(topicId, partition, config)
        expect(log.segments().length).toBeGreaterThan(1)
        expect(readAll(log).map(({ baseOffset }) => baseOffset)).toEqual(Array.from({ length: ends[partition] ?? 0 }, (_, i) => i))
      }
    })
    await Effect.runPromise(Effect.scoped(reopened).pipe(Effect.provide(world), Effect.provide(checksum)))
    fs.rmSync(root, { recursive: true })
  }, 300_000)
})
