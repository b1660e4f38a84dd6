import { expect, test } from "bun:test"
import fc from "fast-check"
import { decodeEpochCheckpoint, encodeEpochCheckpoint } from "../../../../../domain/log/epoch-checkpoint.ts"
import { EpochStarts } from "../../../../../src/broker/partition/replica/epoch-starts.ts"

const step = fc.oneof(
  fc.record({ do: fc.constant("append" as const), epochs: fc.nat(2) }),
  fc.record({ do: fc.constant("lead" as const) }),
  fc.record({ do: fc.constant("delete" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ do: fc.constant("follow" as const) })
)

test("deletions never lose the epoch of the last record, nor where an epoch that has records ends; the checkpoint has both", () =>
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      /** The epoch of each record, from offset 0 on. */
      const records: Array<number> = []
      let starts = new EpochStarts()
      let start = 0
      let epoch = 0
      for (const one of steps) {
        const end = records.length
        if (one.do === "append") {
          epoch += one.epochs
          starts.note(epoch, end)
          records.push(epoch)
        } else if (one.do === "lead") starts.note(++epoch, end)
        else if (one.do === "follow") starts = starts.withoutEmpty(end)
        else {
          start = Math.max(start, Math.round(one.share * end))
          starts.forgetBefore(start)
        }
        expect(starts.lastBefore(records.length)).toBe(records.at(-1))
        for (const has of new Set(records.slice(start)))
          expect(starts.endOf(has, records.length)).toEqual({ epoch: has, endOffset: records.lastIndexOf(has) + 1 })
        const kept = starts.kept(records.length)
        expect(decodeEpochCheckpoint(encodeEpochCheckpoint(kept))).toEqual(kept)
        expect(kept.at(-1)?.epoch).toBe(records.at(-1))
      }
    })
  ))
