import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { Effect, Either } from "effect"
import fc from "fast-check"
import { fieldAt, RecordBatch } from "../../../domain/log/batch.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { writeInt32 } from "../../../domain/log/int.ts"
import type { PartitionLog } from "../../../src/ports/log-store.ts"
import { batch, hexOf } from "./log-batches.ts"
import { openLog, put, readAll, type StoreWorld, within } from "./log-store.contract.ts"

const of = (from: number, count: number, epoch: number): RecordBatch => batch(from, count, 100, 1000 + from, epoch)

/** The batches are refused, and the log is as it was. */
const refused = (log: PartitionLog, why: RegExp, ...batches: ReadonlyArray<RecordBatch>): void => {
  const before = { end: log.end(), bytes: hexOf(readAll(log)) }
  const outcome = log.appendAsFollower(batches)
  expect(Either.getOrThrow(Either.flip(outcome))).toMatchObject({ _tag: "MisplacedBatch", message: expect.stringMatching(why) })
  expect({ end: log.end(), bytes: hexOf(readAll(log)) }).toEqual(before)
}
const taken = (log: PartitionLog, ...batches: ReadonlyArray<RecordBatch>): void => Either.getOrThrow(log.appendAsFollower(batches))

const changed = (made: RecordBatch, change: (bytes: Uint8Array) => void): RecordBatch => {
  const bytes = made.bytes.slice()
  change(bytes)
  return new RecordBatch(bytes)
}

/** What a follower's append does, in every LogStore. */
export const logFollowerContract = (adapter: string, makeWorld: () => StoreWorld): void => {
  describe(`a follower's append: ${adapter}`, () => {
    let world: StoreWorld
    beforeEach(() => {
      world = makeWorld()
    })
    afterEach(() => world.end())

    test("the leader's batches are stored as they are, with their epochs, and are durable after a sync", async () => {
      const batches = [of(0, 3, 1), of(3, 1, 1), of(4, 2, 4), ...Array.from({ length: 12 }, (_, i) => of(6 + i, 1, 4 + i))]
      await within(world, (store) =>
        Effect.gen(function* () {
          const log = yield* openLog(store)
          taken(log)
          taken(log, ...batches.slice(0, 2))
          taken(log, ...batches.slice(2))
          expect(hexOf(readAll(log))).toEqual(hexOf(batches))
          yield* log.sync
          expect(log.syncedEnd()).toBe(log.end())
        })
      )
      await within(world, (store) => Effect.map(openLog(store), (log) => expect(hexOf(readAll(log))).toEqual(hexOf(batches))))
    })

    test("batches that a leader compacted have fewer records than offsets: refused until that is noted, which a restart keeps and a cut lowers", async () => {
      const sparse = (from: number, offsets: number): RecordBatch => {
        const { bytes } = of(from, 1, 1)
        writeInt32(bytes, fieldAt.lastOffsetDelta, offsets - 1)
        writeInt32(bytes, fieldAt.crc, crc32c(bytes.subarray(fieldAt.attributes)) | 0)
        return new RecordBatch(bytes)
      }
      await within(world, (store) =>
        Effect.gen(function* () {
          const log = yield* openLog(store)
          taken(log, of(0, 2, 1))
          refused(log, /1 records over 5 offsets/, sparse(2, 5))
          yield* log.noteSparse(7)
          taken(log, sparse(2, 5))
          refused(log, /1 records over 2 offsets/, sparse(7, 2))
          expect(log.sparseEnd()).toBe(7)
          yield* log.sync
        })
      )
      await within(world, (store) =>
        Effect.gen(function* () {
          const log = yield* openLog(store)
          expect([log.end(), log.sparseEnd()]).toEqual([7, 7])
          yield* log.truncateTo(2)
          expect([log.end(), log.sparseEnd()]).toEqual([2, 2])
          refused(log, /1 records over 5 offsets/, sparse(2, 5))
          yield* log.noteSparse(9)
          yield* log.restartAt(20)
          expect(log.sparseEnd()).toBe(0)
        })
      )
    })

    test("a batch that does not follow is refused with all that came with it: a gap, an overlap, a lower epoch, a wrong CRC or count", () =>
      within(world, (store) =>
        Effect.gen(function* () {
          const log = yield* openLog(store)
          refused(log, /offset 1 where 0 comes next/, of(1, 1, 0))
          taken(log, of(0, 2, 3))
          refused(log, /offset 3 where 2 comes next/, of(3, 1, 3))
          refused(log, /offset 0 where 2 comes next/, of(0, 2, 3))
          refused(log, /leader epoch 2 after epoch 3/, of(2, 1, 2))
          refused(
            log,
            /CRC/,
            changed(of(2, 1, 3), (bytes) => (bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1))
          )
          refused(log, /offset 4 where 3 comes next/, of(2, 1, 3), of(4, 1, 3))
          refused(log, /leader epoch 4 after epoch 5/, of(2, 1, 5), of(3, 1, 4))
          // The CRC does not cover the epoch: a leader patches it.
          taken(
            log,
            changed(of(2, 1, 0), (bytes) => writeInt32(bytes, fieldAt.leaderEpoch, 7))
          )
          refused(log, /leader epoch 3 after epoch 7/, of(3, 1, 3))
          expect(log.end()).toBe(3)
        })
      ))

    test("the epoch that may not fall is that of the last batch in the log: after a restart, an append of its own, a cut and a roll", async () => {
      await within(world, (store) =>
        Effect.gen(function* () {
          const log = yield* openLog(store)
          for (let at = 0; at < 30; at++) taken(log, of(at, 1, at))
          yield* log.sync
        })
      )
      await within(world, (store) =>
        Effect.gen(function* () {
          const log = yield* openLog(store)
          refused(log, /leader epoch 28 after epoch 29/, of(30, 1, 28))
          put(log, of(30, 1, 40))
          refused(log, /leader epoch 39 after epoch 40/, of(31, 1, 39))
          yield* log.truncateTo(11)
          refused(log, /leader epoch 9 after epoch 10/, of(11, 1, 9))
          taken(log, of(11, 1, 10))
          yield* log.restartAt(100)
          taken(log, of(100, 1, 2))
          refused(log, /leader epoch 1 after epoch 2/, of(101, 1, 1))
        })
      )
    })

    test(
      "whatever comes: a batch is taken if and only if it follows, and the log holds what was taken",
      () =>
        fc.assert(
          fc.asyncProperty(
            fc.array(fc.record({ skip: fc.constantFrom(0, 0, 0, 0, -1, 1), count: fc.integer({ min: 1, max: 3 }), rise: fc.constantFrom(0, 0, 1, 2, -1) }), {
              maxLength: 30
            }),
            (steps) => {
              const fresh = makeWorld()
              return within(fresh, (store) =>
                Effect.gen(function* () {
                  const log = yield* openLog(store)
                  const expected: Array<RecordBatch> = []
                  for (const { count, rise, skip } of steps) {
                    const last = expected.at(-1)
                    const end = last?.nextOffset ?? 0
                    const epoch = last?.partitionLeaderEpoch ?? 0
                    const next = of(Math.max(0, end + skip), count, Math.max(0, epoch + rise))
                    const follows = next.baseOffset === end && next.partitionLeaderEpoch >= epoch
                    expect(Either.isRight(log.appendAsFollower([next]))).toBe(follows)
                    if (follows) expected.push(next)
                  }
                  expect(hexOf(readAll(log))).toEqual(hexOf(expected))
                })
              ).finally(() => fresh.end())
            }
          ),
          { numRuns: 40 }
        ),
      300_000
    )
  })
}
