import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { readInt32, writeInt32 } from "../../../domain/log/int.ts"
import { decodeProducerSnapshot, encodeProducerSnapshot, epochsMax } from "../../../domain/log/producer-snapshot.ts"
import { evolveProducers, noProducers, type ProducerState } from "../../../domain/log/producer-state.ts"
import { sequenceMax } from "../../../domain/log/sequence.ts"
import { sequenced } from "./make-batch.ts"

const plain = (state: ProducerState | undefined) => state && [...state.entries].sort(([one], [other]) => Number(one - other))

const states = fc
  .array(
    fc.record({
      id: fc.bigInt(0n, 4n),
      epoch: fc.nat(3),
      sequence: fc.oneof(fc.nat(100), fc.integer({ min: sequenceMax - 3, max: sequenceMax })),
      count: fc.integer({ min: 1, max: 5 }),
      at: fc.nat(1_000_000)
    }),
    { maxLength: 30 }
  )
  .map((appends) =>
    appends.reduce((state, { at, count, epoch, id, sequence }) => evolveProducers(state, sequenced(id, epoch, sequence, count), at), noProducers)
  )

describe("a snapshot of producers", () => {
  test("decodes to what was encoded, also where sequences wrap", () =>
    fc.assert(
      fc.property(states, fc.nat(150), (state, count) => {
        const epochs = Array.from({ length: count }, (_, i) => ({ epoch: i * 2, offset: i * 1_000_000_000 }))
        const read = decodeProducerSnapshot(encodeProducerSnapshot(state, epochs, crc32c), crc32c)
        expect(plain(read?.producers)).toEqual(plain(state))
        expect(read?.epochs).toEqual(epochs.slice(-epochsMax))
      })
    ))

  test("is refused when any bit has changed, when it is truncated, or when bytes were added", () =>
    fc.assert(
      fc.property(states, fc.nat(), fc.nat(7), (state, at, bit) => {
        const whole = encodeProducerSnapshot(state, [{ epoch: 3, offset: 0 }], crc32c)
        const flipped = whole.slice()
        flipped[at % whole.length] = (whole[at % whole.length] as number) ^ (1 << bit)
        expect(decodeProducerSnapshot(flipped, crc32c)).toBeUndefined()
        expect(decodeProducerSnapshot(whole.subarray(0, at % whole.length), crc32c)).toBeUndefined()
        expect(decodeProducerSnapshot(new Uint8Array([...whole, 0]), crc32c)).toBeUndefined()
      })
    ))

  test("one that Apache Kafka wrote has the last batch of each producer", () => {
    const state = [sequenced(7n, 2, 0, 3), sequenced(7n, 2, 3, 2)].reduce((before, batch) => evolveProducers(before, batch, 5000), noProducers)
    const ours = encodeProducerSnapshot(state, [{ epoch: 3, offset: 0 }], crc32c)
    const kafkas = ours.slice(0, 10 + 46 * readInt32(ours, 6))
    writeInt32(kafkas, 2, crc32c(kafkas, 6))
    const read = decodeProducerSnapshot(kafkas, crc32c)
    expect(read?.epochs).toBeUndefined()
    expect(plain(read?.producers)).toEqual([
      [7n, { epoch: 2, lastSeen: 1000, batches: [{ firstSequence: 3, lastSequence: 4, firstOffset: 0, lastOffset: 1, timestamp: 1000 }] }]
    ])
  })

  test("without producers is a snapshot, too", () => {
    expect(plain(decodeProducerSnapshot(encodeProducerSnapshot(noProducers, [], crc32c), crc32c)?.producers)).toEqual([])
    expect(decodeProducerSnapshot(new Uint8Array(0), crc32c)).toBeUndefined()
  })
})
