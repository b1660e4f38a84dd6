import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { Effect, Either, Exit, Scope } from "effect"
import fc from "fast-check"
import type { RecordBatch } from "../../../domain/log/batch.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { encodeProducerSnapshot } from "../../../domain/log/producer-snapshot.ts"
import { noProducers } from "../../../domain/log/producer-state.ts"
import { EpochStarts } from "../../../src/broker/partition/replica/epoch-starts.ts"
import type { PartitionLog } from "../../../src/ports/log-store.ts"
import { batch, batchesFrom, batchesIn, hexOf, topicId } from "./log-batches.ts"
import { logDirectory, openLog, put, readAll, type Store, type StoreWorld, within } from "./log-store.contract.ts"

const epochFile = `${logDirectory}/leader-epoch-checkpoint`
const namesOf = (world: StoreWorld, end: string) =>
  world
    .list(logDirectory)
    .filter((name) => name.endsWith(end))
    .map((name) => Number(name.slice(0, 20)))
    .sort((one, other) => one - other)

/** What an owner keeps beside a log: an epoch for every ten offsets. */
const sourceOf = (log: PartitionLog, starts = new EpochStarts(), alsoEmpty = false) => ({
  starts,
  snapshot: () => encodeProducerSnapshot(noProducers, starts.startsBefore(log.end()), crc32c),
  epochs: () => starts.startsBefore(log.end() + (alsoEmpty ? 1 : 0))
})

type CutCommand =
  | { readonly kind: "append"; readonly sizes: ReadonlyArray<{ readonly count: number; readonly valueBytes: number }> }
  | { readonly kind: "truncate"; readonly at: number }
  | { readonly kind: "restart"; readonly at: number }
  | { readonly kind: "delete"; readonly at: number }
  | { readonly kind: "read"; readonly at: number; readonly maxBytes: number }
  | { readonly kind: "sync" }
  | { readonly kind: "reopen" }
  | { readonly kind: "crash" }

const commands = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("append" as const),
        sizes: fc.array(fc.record({ count: fc.integer({ min: 1, max: 5 }), valueBytes: fc.integer({ min: 0, max: 500 }) }), { minLength: 1, maxLength: 5 })
      })
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("truncate" as const), at: fc.nat(1000) }) },
    {
      weight: 1,
      arbitrary: fc.oneof(
        fc.record({ kind: fc.constant("restart" as const), at: fc.nat(1000) }),
        fc.record({ kind: fc.constant("delete" as const), at: fc.nat(1000) })
      )
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("read" as const), at: fc.nat(1000), maxBytes: fc.nat(3000) }) },
    { weight: 2, arbitrary: fc.constantFrom<CutCommand>({ kind: "sync" }, { kind: "reopen" }, { kind: "crash" }) }
  ),
  { maxLength: 40 }
)

interface Model {
  batches: Array<RecordBatch>
  /** Where the log continues when it has no batches. */
  start: number
  synced: number
}
const endOf = ({ batches, start }: Model): number => batches.at(-1)?.nextOffset ?? start

const follow = (world: StoreWorld, steps: ReadonlyArray<CutCommand>) =>
  Effect.gen(function* () {
    let at = world
    const model: Model = { batches: [], start: 0, synced: 0 }
    const live = (store: Store, rest: Array<CutCommand>) =>
      Effect.gen(function* () {
        let scope = yield* Scope.make()
        let log = yield* Scope.extend(openLog(store), scope)
        for (let step = rest.shift(); step !== undefined; step = rest.shift()) {
          const end = endOf(model)
          const start = log.start()
          if (step.kind === "append") {
            const batches = batchesFrom(end, step.sizes)
            for (const each of batches) put(log, each)
            model.batches.push(...batches)
          } else if (step.kind === "truncate") {
            const to = start + (step.at % (end - start + 2))
            yield* log.truncateTo(to)
            model.batches = model.batches.filter(({ nextOffset }) => nextOffset <= to)
            model.synced = Math.max(endOf(model), model.start)
            expect(log.syncedEnd()).toBe(log.end())
          } else if (step.kind === "restart") {
            yield* log.restartAt(step.at)
            Object.assign(model, { batches: [], start: step.at, synced: step.at })
          } else if (step.kind === "delete") {
            yield* log.deleteBefore(start + (step.at % (end - start + 1)))
            model.batches = model.batches.filter(({ nextOffset }) => nextOffset > log.start())
            model.start = model.batches[0]?.baseOffset ?? log.start()
            model.synced = end
          } else if (step.kind === "sync") {
            yield* log.sync
            model.synced = end
          } else if (step.kind === "reopen") {
            yield* Scope.close(scope, Exit.void)
            scope = yield* Scope.make()
            log = yield* Scope.extend(openLog(store), scope)
            model.synced = end
          } else if (step.kind === "crash") {
            at = at.copy()
            break
          } else if (step.kind === "read") {
            const from = start + (step.at % (end - start + 1))
            const found = batchesIn(Either.getOrThrow(log.read(from, step.maxBytes, end)))
            expect(hexOf(found.slice(0, 1))).toEqual(hexOf(model.batches.filter(({ nextOffset }) => nextOffset > from).slice(0, 1)))
          }
          expect([step.kind, log.start(), log.end()]).toEqual([step.kind, model.batches[0]?.baseOffset ?? model.start, endOf(model)])
          expect(log.syncedEnd()).toBeLessThanOrEqual(log.end())
          expect(hexOf(readAll(log))).toEqual(hexOf(model.batches))
        }
        yield* Scope.close(scope, Exit.void)
      })
    const rest = [...steps]
    do yield* Effect.promise(() => within(at, (store) => live(store, rest)))
    while (rest.length > 0)
    // All that is beside the log fits it: each batch is found by its offset and by its time.
    yield* Effect.promise(() =>
      within(at, (store) =>
        Effect.map(openLog(store), (log) => {
          expect(hexOf(readAll(log))).toEqual(hexOf(model.batches))
          for (const each of model.batches) {
            expect(hexOf(batchesIn(Either.getOrThrow(log.read(each.lastOffset, 0, log.end()))))).toEqual(hexOf([each]))
            const first = model.batches.find(({ maxTimestamp }) => maxTimestamp >= each.maxTimestamp)
            expect(Either.getOrThrow(log.batchAtTime(each.maxTimestamp))?.baseOffset).toBe(first?.baseOffset)
          }
        })
      )
    )
  })

/**
 * What cutting the end of a log, and beginning it anew, does in every LogStore. `runs`: how many lists of commands are drawn. A list has some 65 syncs: over files the time is
 * that of the disk.
 */
export const logCutContract = (adapter: string, makeWorld: () => StoreWorld, { runs }: { readonly runs: number }): void => {
  describe(`LogStore, cuts: ${adapter}`, () => {
    let world: StoreWorld
    beforeEach(() => {
      world = makeWorld()
    })
    afterEach(() => world.end())
    cutting(() => world, runs)
  })
}

const cutting = (world: () => StoreWorld, numRuns: number): void => {
  test(
    "L2, L6, L7: any appends, rolls, syncs, cuts, restarts, reads and lives give what a plain list gives",
    () =>
      fc.assert(
        fc.asyncProperty(commands, async (steps) => {
          const mine = world().copy()
          await Effect.runPromise(follow(mine, steps)).finally(mine.end)
        }),
        { numRuns }
      ),
    300_000
  )

  test("a cut inside a batch goes to the batch's base, one in another segment takes the whole ones behind it, and the end continues from there", () =>
    within(world(), (store) =>
      Effect.gen(function* () {
        const log = yield* openLog(store)
        for (let i = 0; i < 12; i++) put(log, batch(log.end(), 3, 150, 1000 + i))
        yield* log.truncateTo(32)
        expect([log.end(), log.syncedEnd()]).toEqual([30, 30])
        yield* log.truncateTo(5)
        expect([log.start(), log.end(), log.syncedEnd()]).toEqual([0, 3, 3])
        expect(log.segments()).toHaveLength(1)
        expect(Either.getOrThrow(log.batchAtTime(1001))).toBeUndefined()
        put(log, batch(3, 1, 10, 2000))
        expect(Either.getOrThrow(log.batchAtTime(1001))?.baseOffset).toBe(3)
        expect(readAll(log).map(({ baseOffset }) => baseOffset)).toEqual([0, 3])
        yield* log.truncateTo(100)
        expect(log.end()).toBe(4)
      })
    ))

  test("callers that wait for a sync are answered before the cut; a caller that waits for a record that was cut gets a fault", () =>
    within(world(), (store) =>
      Effect.gen(function* () {
        const log = yield* openLog(store)
        for (let i = 0; i < 6; i++) put(log, batch(log.end(), 1, 200))
        const answers: Array<number> = []
        const waiting = Effect.tap(log.sync, () => Effect.sync(() => void answers.push(log.syncedEnd())))
        yield* Effect.all([waiting, waiting, log.truncateTo(2), waiting], { concurrency: "unbounded" })
        // Those that waited for six records were answered when six were on the disk.
        expect(answers.slice(0, 2)).toEqual([6, 6])
        expect(log.syncedEnd()).toBe(2)
        const faults: Array<string | undefined> = []
        log.whenSynced(4, (fault) => faults.push(fault?.message))
        log.whenSynced(1, (fault) => faults.push(fault?.message))
        expect(faults).toEqual([expect.stringMatching(/^Offset 4 of .* was cut: the log ends at 2/), undefined])
        put(log, batch(2, 1))
        yield* log.sync
        expect(log.syncedEnd()).toBe(3)
      })
    ))

  test("KAFKA-10706: producer snapshots and leader epochs behind a cut go with it, also an epoch at the end that has no records", async () => {
    await within(world(), (store) =>
      Effect.gen(function* () {
        const log = yield* openLog(store)
        const source = sourceOf(log, new EpochStarts(), true)
        log.derived.keep(source)
        for (let i = 0; i < 12; i++) {
          if (i % 4 === 0) source.starts.note(i / 4, log.end())
          put(log, batch(log.end(), 2, 300))
          yield* log.sync
        }
        // An epoch without records is written down with the next roll.
        source.starts.note(9, log.end())
        yield* log.deleteBefore(log.end())
        expect(new TextDecoder().decode(world().read(epochFile))).toContain("9 24\n")
        yield* log.truncateTo(24)
        expect(new TextDecoder().decode(world().read(epochFile))).not.toContain("9 24\n")
        expect(log.end()).toBe(24)
      })
    )
    await within(world(), (store) =>
      Effect.gen(function* () {
        const log = yield* openLog(store)
        put(log, batch(24, 4, 300))
        yield* log.sync
        // The log has grown over it, and the epoch that got no records is not back.
        expect(log.derived.epochs().map(({ epoch }) => epoch)).not.toContain(9)
      })
    )
  })

  test("snapshots, epochs and checksums of what was cut are gone, and the source is asked no more until it is given again", async () => {
    await within(world(), (store) =>
      Effect.gen(function* () {
        const log = yield* openLog(store)
        const source = sourceOf(log)
        log.derived.keep(source)
        for (let i = 0; i < 12; i++) {
          if (i % 3 === 0) source.starts.note(i / 3, log.end())
          put(log, batch(log.end(), 2, 300))
          yield* log.sync
        }
        expect(log.derived.snapshots.length).toBeGreaterThan(1)
        const to = (log.segments().at(-2)?.baseOffset ?? 0) + 1
        yield* log.truncateTo(to)
        const end = log.end()
        expect(log.derived.snapshots.every(({ offset }) => offset <= end)).toBe(true)
        expect(namesOf(world(), ".snapshot").every((offset) => offset <= end)).toBe(true)
        expect(log.derived.epochs().every(({ offset }) => offset < end)).toBe(true)
        const last = log.segments().at(-1)?.baseOffset ?? 0
        expect(namesOf(world(), ".checksum").every((base) => base < last)).toBe(true)
        // Without a source nothing is written at a roll.
        for (let i = 0; i < 4; i++) put(log, batch(log.end(), 2, 300))
        yield* log.sync
        expect(namesOf(world(), ".snapshot").every((offset) => offset <= end)).toBe(true)
        log.derived.keep(sourceOf(log))
      })
    )
    await within(world(), (store) => Effect.map(openLog(store), (log) => expect(readAll(log).at(-1)?.nextOffset).toBe(log.end())))
  })

  test("a log that restarts is empty at the offset, before or after what it had, and nothing that was derived is left", async () => {
    for (const offset of [1000, 7, 0]) {
      await within(world(), (store) =>
        Effect.gen(function* () {
          const log = yield* openLog(store)
          const source = sourceOf(log)
          log.derived.keep(source)
          source.starts.note(offset, log.end())
          for (let i = 0; i < 9; i++) put(log, batch(log.end(), 1, 300))
          yield* log.restartAt(offset)
          expect([log.start(), log.end(), log.syncedEnd()]).toEqual([offset, offset, offset])
          expect(batchesIn(Either.getOrThrow(log.read(offset, 1000, offset)))).toEqual([])
          expect(
            world()
              .list(logDirectory)
              .filter((name) => /\.(snapshot|checksum)$|^leader-epoch/.test(name))
          ).toEqual([])
          expect(log.derived.snapshots).toEqual([])
          put(log, batch(offset, 2))
        })
      )
      await within(world(), (store) => Effect.map(openLog(store), (log) => expect([log.start(), log.end()]).toEqual([offset, offset + 2])))
    }
    await within(world(), (store) =>
      Effect.map(
        store.open(topicId, 0, { segmentBytesMax: 600, segmentMs: 1, indexIntervalBytes: 1, segmentIndexBytesMax: 1000, fileDeleteDelayMs: 0 }),
        (log) => expect(log.end()).toBe(2)
      )
    )
  })
}
