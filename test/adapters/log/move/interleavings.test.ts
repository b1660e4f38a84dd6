import { expect, test } from "bun:test"
import { Effect } from "effect"
import fc from "fast-check"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import type { LogMove, PartitionLog } from "../../../../src/ports/log-store.ts"
import { topicId } from "../../../src/ports/log-batches.ts"
import { batchOf, orderOf } from "../compaction/support.ts"
import { contentOf, type HeldLog, hold, namesIn, placeOn, slice, unbounded, withStore } from "./support.ts"

/** What is done with a log. Numbers are parts of a thousand of the log, or bytes. */
type Op =
  | { readonly _tag: "append"; readonly keys: ReadonlyArray<number>; readonly valueBytes: number }
  | { readonly _tag: "deleteBefore" | "truncateTo" | "restartAt"; readonly at: number }
  | { readonly _tag: "compact" | "reopen" }
  | { readonly _tag: "slice"; readonly bytes: number }
  | { readonly _tag: "begin" | "cancel" | "copy" | "finish" }

const tagged = <T extends Op["_tag"]>(...tags: ReadonlyArray<T>) => fc.constantFrom(...tags.map((_tag) => ({ _tag })))
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ _tag: fc.constant("append" as const), keys: fc.array(fc.nat(4), { minLength: 1, maxLength: 3 }), valueBytes: fc.nat(150) })
  },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constantFrom("deleteBefore" as const, "truncateTo" as const), at: fc.nat(1000) }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("restartAt" as const), at: fc.nat(1500) }).filter(({ at }) => at % 3 === 0) },
  { weight: 1, arbitrary: tagged("compact", "reopen") },
  { weight: 6, arbitrary: fc.record({ _tag: fc.constant("slice" as const), bytes: fc.integer({ min: 1, max: 700 }) }) },
  { weight: 3, arbitrary: tagged("begin", "begin", "copy", "finish", "finish", "cancel") }
)

const found = (log: PartitionLog) => ({
  content: contentOf(log),
  start: log.start(),
  end: log.end(),
  cleanEnd: log.cleanEnd(),
  sparseEnd: log.sparseEnd(),
  segments: log.segments().map(({ baseOffset, sizeInBytes }) => [baseOffset, sizeInBytes])
})

/** Does what changes the log, in the same way whether it is moved or not. */
const change = (log: PartitionLog, op: Op) => {
  const at = (part: number) => log.start() + Math.floor(((log.end() - log.start()) * part) / 1000)
  switch (op._tag) {
    case "append":
      return Effect.zipRight(
        Effect.suspend(() =>
          log.append([batchOf(log.end(), { records: op.keys.map((key) => ({ key: `k${key}`, value: `${log.end()}`.padEnd(op.valueBytes, "v") })) })])
        ),
        log.sync
      )
    case "deleteBefore":
      return log.deleteBefore(at(op.at))
    case "truncateTo":
      return log.truncateTo(at(op.at))
    case "restartAt":
      return log.restartAt(at(op.at))
    case "compact":
      return Effect.suspend(() => (orderOf(log).to > log.cleanEnd() && log.cleanEnd() >= log.start() ? Effect.asVoid(log.compact(orderOf(log))) : Effect.void))
    default:
      return Effect.void
  }
}

const run = (ops: ReadonlyArray<Op>, isMoved: boolean) => {
  const disks = [new MemoryDisk(), new MemoryDisk()] as const
  const places = [placeOn(disks[0], "/a"), placeOn(disks[1], "/b")]
  return withStore(places, (store) =>
    Effect.gen(function* () {
      let held: HeldLog = yield* hold(store, true)
      let move: LogMove | undefined
      yield* held.log.sync
      for (const op of ops) {
        yield* change(held.log, op)
        if (op._tag === "reopen" || (op._tag === "finish" && !isMoved)) {
          // A log that is closed ends its move.
          if (isMoved && move !== undefined) yield* move.cancel
          move = undefined
          yield* held.close
          held = yield* hold(store)
        }
        if (!isMoved) continue
        if (op._tag === "begin" && move === undefined)
          move = yield* store.moves.begin({ topicId, partition: 0, path: store.moves.directoryOf(topicId, 0) === "/a" ? "/b" : "/a" }, unbounded)
        if (op._tag === "slice" && move !== undefined) yield* slice(move, op.bytes)
        if (op._tag === "copy" && move !== undefined) yield* move.copy
        if (op._tag === "cancel" && move !== undefined) {
          yield* move.cancel
          move = undefined
        }
        if (op._tag !== "finish") continue
        yield* held.close
        if (move !== undefined) yield* move.finish
        held = yield* hold(store)
        if (move !== undefined) yield* move.removeOld
        move = undefined
        expect(places.flatMap(namesIn)).toEqual([""])
      }
      const open = found(held.log)
      yield* held.log.scrub
      yield* held.close
      const again = yield* hold(store)
      expect(found(again.log)).toEqual(open)
      return open
    })
  )
}

test(
  "a log that is moved in between has what a log has that is not: its records, its offsets, its segments",
  () =>
    fc.assert(
      fc.asyncProperty(fc.array(op, { minLength: 5, maxLength: 60 }), async (ops) => {
        expect(await run(ops, true)).toEqual(await run(ops, false))
      }),
      { numRuns: 60 }
    ),
  300_000
)
