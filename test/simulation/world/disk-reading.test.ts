import { describe, expect, test } from "bun:test"
import { Effect, Logger, LogLevel } from "effect"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { someChoices } from "../../adapters/log/crash-images/choices.ts"
import { imageOf } from "../../adapters/log/crash-images/images.ts"
import { witnessOf } from "../../adapters/log/crash-images/run.ts"
import { diskOver } from "../../adapters/log/crash-images/trace-disk.ts"
import type { Tree } from "../../adapters/log/crash-images/tree.ts"
import { type Workload, workloads } from "../../adapters/log/crash-images/workloads.ts"
import { openStore, realSystem } from "../../adapters/log/crash-images/world.ts"
import { checksum } from "../../src/ports/log-batches.ts"
import { Chance } from "../chance.ts"
import { logsOnDisk } from "./disk-reading.ts"

const memoryDiskOf = (tree: Tree): MemoryDisk => {
  const disk = new MemoryDisk()
  const session = disk.session()
  const fill = (path: string, node: Tree): void => {
    for (const [name, content] of node)
      if (content instanceof Uint8Array) session.open(`${path}/${name}`, "create").write([content], 0)
      else {
        session.makeDirectory(`${path}/${name}`)
        fill(`${path}/${name}`, content)
      }
  }
  fill("", tree)
  return disk
}

describe("L9: what a disk holds after a power cut, as the checkers read it, ends where recovery ends", () => {
  for (const name of ["roll", "retention", "compaction"])
    test(`after ${name}, also where records behind a hole are whole`, async () => {
      const workload = workloads.find((one) => one.name === name) as Workload
      let compared = 0
      for (const seed of [1, 2, 3]) {
        const witness = await witnessOf(workload, realSystem, seed)
        const chance = new Chance(seed)
        for (let images = 0; images < 60; images++) {
          const image = imageOf(witness.trace, chance.below(witness.now + 1), someChoices(chance))
          const read = logsOnDisk(memoryDiskOf(image))
          const ends = await Effect.runPromise(
            Effect.gen(function* () {
              const store = yield* openStore(realSystem, diskOver(image).disk)
              return yield* Effect.forEach(witness.logs, ({ config, partition, topicId }) =>
                Effect.map(store.open(topicId, partition, config), (log) => ({ topicId, partition, start: log.start(), end: log.end() }))
              )
            }).pipe(Effect.scoped, Effect.provide(checksum), Logger.withMinimumLogLevel(LogLevel.None))
          )
          for (const { end, partition, topicId } of ends) {
            const found = read.find((each) => each.topicId === topicId && each.partition === partition)
            expect([seed, images, found?.end ?? 0]).toEqual([seed, images, end])
            compared++
          }
        }
      }
      expect(compared).toBeGreaterThan(100)
    }, 120_000)
})
