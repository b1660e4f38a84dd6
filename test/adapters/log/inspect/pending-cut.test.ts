import { expect, test } from "bun:test"
import { Effect, Either } from "effect"
import { planRepair } from "../../../../adapters/log/inspect/repair-log.ts"
import { verifyLog } from "../../../../adapters/log/inspect/verify-log.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { defaultStoreBounds, makeStore } from "../../../../adapters/log/store.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import type { LogFault, PartitionLog } from "../../../../src/ports/log-store.ts"
import { batch, checksum, smallConfig, topicId } from "../../../src/ports/log-batches.ts"

const root = "/data"
const directory = `${root}/${topicId}-0`
const batches = 24

/** A log of several segments in which the power goes with the `changes`th change of `cut`; undefined once that has ended before. */
const interrupted = async (cut: (log: PartitionLog) => Effect.Effect<void, LogFault>, changes: number): Promise<MemoryDisk | undefined> => {
  const memory = new MemoryDisk()
  const disk = memory.session()
  disk.makeDirectory(root)
  const life = Effect.gen(function* () {
    const store = yield* makeStore(disk, root, defaultStoreBounds)
    const log = yield* store.open(topicId, 0, smallConfig)
    for (let n = 0; n < batches; n++) Either.getOrThrow(log.append([batch(log.end(), 1, 100)]))
    yield* log.sync
    // Everything that was changed is on the disk.
    memory.crashAfter(changes, (bound) => bound - 1)
    const done = yield* Effect.exit(cut(log))
    return done._tag === "Failure"
  })
  const isCutOff = await Effect.runPromise(Effect.scoped(life).pipe(Effect.provide(checksum)))
  return isCutOff ? memory : undefined
}

for (const [name, cut, start, end] of [
  ["truncated", (log: PartitionLog) => log.truncateTo(7), 0, 7],
  ["restarted", (log: PartitionLog) => log.restartAt(100), 100, 100]
] as const)
  test(`a log that was being ${name} when its node stopped: verify says so at every step, repair leaves it to the next start`, async () => {
    let pending = 0
    for (let changes = 1; ; changes++) {
      const memory = await interrupted(cut, changes)
      if (memory === undefined) break
      const disk = memory.session()
      const found = verifyLog(disk, directory, crc32c)
      if (found.recoveryPoint?.cut === undefined) continue
      pending++
      expect(found.findings.map(({ kind, offset }) => ({ kind, offset }))).toEqual([{ kind: "cut", offset: end }])
      expect([found.start, found.end, found.firstBreak]).toEqual([start, end, undefined])
      expect(planRepair(disk, found).refusal).toContain("finishes the cut")
      // The next start does what verify says.
      const next = Effect.gen(function* () {
        const store = yield* makeStore(disk, root, defaultStoreBounds)
        const log = yield* store.open(topicId, 0, smallConfig)
        return [log.start(), log.end()]
      })
      expect(await Effect.runPromise(Effect.scoped(next).pipe(Effect.provide(checksum)))).toEqual([start, end])
      expect(verifyLog(disk, directory, crc32c).findings).toEqual([])
    }
    expect(pending).toBeGreaterThan(3)
  }, 120_000)
