import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import fc from "fast-check"
import type { Snapshot } from "../../../../src/ports/journal.ts"
import { PartitionWorld } from "../../broker/groups/partition-world.ts"
import { candidate, entry, journalContract, readAll, stream, withJournal } from "../../ports/journal.contract.ts"

const worldOf = (partitions: PartitionWorld) => ({ layer: partitions.layer, end: () => undefined, rivalAppends: 2000 })

journalContract("over a partition", () => worldOf(new PartitionWorld()))

const bytesOf = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, n) => (n * 31 + (n >> 8)) & 0xff)

type Step = "append" | "snapshot" | "trim" | "restart"

describe("a stream in a partition", () => {
  test("any appends, snapshots, trims and restarts leave the newest snapshot and all entries after it", () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom<Step[]>("append", "append", "append", "snapshot", "trim", "restart"), { maxLength: 40 }), async (steps) => {
        const world = worldOf(new PartitionWorld())
        const model: { end: number; snapshots: ReadonlyArray<Snapshot> } = { end: 0, snapshots: [] }
        for (let at = 0; at <= steps.length; at++)
          await withJournal(world, (journal) =>
            Effect.gen(function* () {
              const taken = yield* journal.campaign(stream, candidate)
              expect(taken.end).toBe(model.end)
              const newest = yield* journal.loadSnapshot(stream)
              expect(newest).toEqual(model.snapshots.at(-1))
              expect(taken.start).toBeLessThanOrEqual(newest?.index ?? 0)
              const left = yield* readAll(journal, newest?.index ?? 0)
              expect(left.map(({ commandId }) => commandId)).toEqual(left.map((_, n) => `command-${(newest?.index ?? 0) + n}`))
              expect(left).toHaveLength(model.end - (newest?.index ?? 0))
              for (; at < steps.length && steps[at] !== "restart"; at++) {
                const [before] = model.snapshots.slice(-2)
                if (steps[at] === "append") {
                  const entries = [entry(model.end), entry(model.end + 1)]
                  yield* journal.append(stream, taken.epoch, model.end, entries)
                  model.end += 2
                } else if (steps[at] === "snapshot") {
                  const snapshot = { index: model.end, value: bytesOf(1 + model.snapshots.length * 300_000) }
                  yield* journal.saveSnapshot(stream, snapshot)
                  model.snapshots = [...model.snapshots, snapshot]
                } else if (before !== undefined) yield* journal.trim(stream, before.index)
              }
            })
          )
      }),
      { numRuns: 25 }
    ))

  for (const written of [0, 1, 2, 3])
    test(`a state that was elsewhere is taken over whole, also where the first attempt ended after ${written} of its 3 parts`, async () => {
      const state: Snapshot = { index: 57, value: bytesOf(1_200_000) }
      let asked = 0
      const partitions = new PartitionWorld(() => Effect.sync(() => (asked++, state)))
      const world = worldOf(partitions)
      partitions.appendsMax = written
      await withJournal(world, (journal) => Effect.either(journal.campaign(stream, candidate)))
      partitions.appendsMax = Number.POSITIVE_INFINITY
      for (const end of [57, 58])
        await withJournal(world, (journal) =>
          Effect.gen(function* () {
            const taken = yield* journal.campaign(stream, candidate)
            expect([taken.start, taken.end]).toEqual([57, end])
            expect(yield* journal.loadSnapshot(stream)).toEqual(state)
            if (end === 57) yield* journal.append(stream, taken.epoch, 57, [entry(57)])
            expect((yield* readAll(journal, 57)).map(({ index }) => index)).toEqual([57])
          })
        )
      expect(asked).toBe(written < 3 ? 2 : 1)
    })

  test("a stream without an earlier state asks for it once, and has no snapshot", async () => {
    let asked = 0
    const world = worldOf(new PartitionWorld(() => Effect.sync(() => void asked++)))
    for (const end of [0, 1])
      await withJournal(world, (journal) =>
        Effect.gen(function* () {
          const taken = yield* journal.campaign(stream, candidate)
          expect([taken.start, taken.end]).toEqual([0, end])
          expect(yield* journal.loadSnapshot(stream)).toBeUndefined()
          if (end === 0) yield* journal.append(stream, taken.epoch, 0, [entry(0)])
        })
      )
    expect(asked).toBe(1)
  })

  test("an append that a new leadership overtakes before it is committed is fenced, and its index is taken by the next leader's state of the log", () =>
    withJournal(worldOf(new PartitionWorld()), (journal) =>
      Effect.gen(function* () {
        const { epoch } = yield* journal.campaign(stream, candidate)
        const overtaken = yield* Effect.fork(Effect.flip(journal.append(stream, epoch, 0, [entry(0)])))
        yield* Effect.yieldNow()
        const next = yield* journal.campaign(stream, candidate)
        expect(yield* overtaken).toMatchObject({ _tag: "Fenced", epoch, newerEpoch: next.epoch })
        // The log had the entry when the leadership changed: the next leader has it too, although no answer said so.
        expect(next.end).toBe(1)
        expect((yield* readAll(journal, 0)).map(({ commandId }) => commandId)).toEqual(["command-0"])
      })
    ))
})
