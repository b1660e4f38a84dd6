import { expect, test } from "bun:test"
import { Either } from "effect"
import fc from "fast-check"
import type { RecordBatch } from "../../../../../domain/log/batch.ts"
import { endTransactionRecord } from "../../../../../domain/log/control-record.ts"
import { crc32c } from "../../../../../domain/log/crc32c.ts"
import type { AbortedTransaction } from "../../../../../src/client/consumer/fetch/aborted-transactions.ts"
import { PartitionReader } from "../../../../../src/client/consumer/fetch/partition-reader.ts"
import { makeBatch } from "../../../../domain/log/make-batch.ts"

const decoding = { crc32c, decompress: (_: string, bytes: Uint8Array) => Either.right(bytes), batchBytesMax: 1_000_000 }

/** What producers do to one partition: a batch in a transaction, one outside, or the end of the producer's transaction. */
type Step = { readonly producer: number; readonly what: "send" | "plain" | "commit" | "abort" }
const step: fc.Arbitrary<Step> = fc.record({ producer: fc.integer({ min: 1, max: 3 }), what: fc.constantFrom("send", "send", "plain", "commit", "abort") })

/** The log of these steps, its aborted transactions as a broker lists them, and the offsets of what a reader of committed messages gets. */
const play = (steps: ReadonlyArray<Step>) => {
  const batches: Array<RecordBatch> = []
  const aborted: Array<AbortedTransaction> = []
  const seen: Array<number> = []
  const open = new Map<number, Array<number>>()
  let end = 0
  const append = (count: number, fields: Parameters<typeof makeBatch>[1]) => {
    const batch = makeBatch(count, { baseOffset: end, producerEpoch: 0, baseSequence: 0, ...fields })
    batches.push(batch)
    const offsets = Array.from({ length: count }, (_, at) => end + at)
    end = batch.nextOffset
    return offsets
  }
  const finish = (producer: number, outcome: "commit" | "abort") => {
    const mine = open.get(producer)
    if (mine === undefined) return
    open.delete(producer)
    const record = endTransactionRecord({ outcome, coordinatorEpoch: 0 }, 1000)
    append(1, { producerId: BigInt(producer), baseSequence: -1, isTransactional: true, isControl: true, records: [record] })
    if (outcome === "commit") seen.push(...mine)
    else aborted.push({ producerId: BigInt(producer), firstOffset: BigInt(mine[0] as number) })
  }
  for (const { producer, what } of steps) {
    if (what === "commit" || what === "abort") finish(producer, what)
    else if (what === "plain") seen.push(...append(2, { producerId: BigInt(10 + producer) }))
    else open.set(producer, [...(open.get(producer) ?? []), ...append(2, { producerId: BigInt(producer), isTransactional: true })])
  }
  // A broker returns nothing behind the first open transaction: these logs end with none.
  for (const producer of open.keys()) finish(producer, "commit")
  return { batches, aborted, seen: seen.toSorted((a, b) => a - b), end }
}

test("a reader of committed messages gets those of committed transactions and plain ones, and passes everything else", () =>
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 4 }), (steps, perFetch) => {
      const { aborted, batches, end, seen } = play(steps)
      const reader = new PartitionReader("orders", "id", 0, 0)
      const got: Array<number> = []
      for (let at = 0; at < batches.length; at += perFetch) {
        const some = batches.slice(at, at + perFetch)
        const last = BigInt(some.at(-1)?.lastOffset ?? 0)
        const first = some[0]?.baseOffset ?? 0
        // Those that overlap the batches: a broker lists one again with each fetch that reaches into it.
        const listed = aborted.filter(({ firstOffset, producerId }) => {
          const marker = batches.find((batch) => batch.isControl && batch.producerId === producerId && BigInt(batch.baseOffset) > firstOffset)
          return firstOffset <= last && (marker?.baseOffset ?? 0) >= first
        })
        reader.buffer(reader.fetchFrom, new Uint8Array(Buffer.concat(some.map(({ bytes }) => bytes))), listed)
        while (reader.take(3, decoding, ({ offset }) => void got.push(offset)) > 0);
      }
      expect(got).toEqual(seen)
      expect([reader.next, reader.progress.toCommit]).toEqual([end, got.length === 0 ? end : (got[0] as number)])
    })
  ))
