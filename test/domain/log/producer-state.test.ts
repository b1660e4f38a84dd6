import { describe, expect, test } from "bun:test"
import { Either, HashMap, Option } from "effect"
import fc from "fast-check"
import {
  batchesKeptMax,
  boundProducers,
  checkSequence,
  evolveProducers,
  expireProducers,
  noProducers,
  type ProducerState
} from "../../../domain/log/producer-state.ts"
import { sequenceAfter, sequenceMax } from "../../../domain/log/sequence.ts"
import { makeBatch, sequenced } from "./make-batch.ts"

const after = (...batches: ReadonlyArray<ReturnType<typeof sequenced>>): ProducerState =>
  batches.reduce((state, batch) => evolveProducers(state, batch, 0), noProducers)
const answer = (state: ProducerState, batch: ReturnType<typeof sequenced>): string =>
  Either.match(checkSequence(state, batch), { onLeft: ({ error }) => error, onRight: ({ _tag }) => _tag })

describe("sequences", () => {
  test("wrap from 2^31 - 1 to 0", () => {
    expect([sequenceAfter(sequenceMax, 1), sequenceAfter(sequenceMax - 1, 4), sequenceAfter(-1, 1), sequenceAfter(5, 0)]).toEqual([0, 2, 0, 5])
    expect(sequenced(1n, 0, sequenceMax - 1, 5).lastSequence).toBe(2)
  })

  test.each([
    ["the next one", sequenced(1n, 0, 3, 2), "New"],
    ["a gap", sequenced(1n, 0, 4, 1), "OUT_OF_ORDER_SEQUENCE_NUMBER"],
    ["the same batch", sequenced(1n, 0, 0, 3), "Duplicate"],
    ["the same start with another length", sequenced(1n, 0, 0, 2), "OUT_OF_ORDER_SEQUENCE_NUMBER"],
    ["an older epoch", sequenced(1n, -1, 3, 1), "INVALID_PRODUCER_EPOCH"],
    ["a newer epoch from 0", sequenced(1n, 1, 0, 1), "New"],
    ["a newer epoch from elsewhere", sequenced(1n, 1, 3, 1), "OUT_OF_ORDER_SEQUENCE_NUMBER"],
    ["another producer, anywhere", sequenced(2n, 0, 77, 1), "New"],
    ["no producer", makeBatch(1), "New"]
  ] as const)("after 0 to 2: %s", (_, batch, expected) => expect(answer(after(sequenced(1n, 0, 0, 3)), batch)).toBe(expected))

  test("the last five batches are recognized, the sixth from the end is too old", () => {
    const batches = Array.from({ length: 8 }, (_, i) => sequenced(1n, 0, i * 2, 2))
    const state = after(...batches)
    expect(batches.map((batch) => answer(state, batch))).toEqual([
      ...Array.from({ length: 3 }, () => "OUT_OF_ORDER_SEQUENCE_NUMBER"),
      ...Array.from({ length: batchesKeptMax }, () => "Duplicate")
    ])
  })

  test("over the wrap: next, duplicate, gap", () => {
    const state = after(sequenced(1n, 0, sequenceMax - 1, 4))
    expect([answer(state, sequenced(1n, 0, 2, 1)), answer(state, sequenced(1n, 0, sequenceMax - 1, 4)), answer(state, sequenced(1n, 0, 3, 1))]).toEqual([
      "New",
      "Duplicate",
      "OUT_OF_ORDER_SEQUENCE_NUMBER"
    ])
  })

  test("a newer epoch forgets the batches of the older", () => {
    const state = after(sequenced(1n, 0, 0, 3), sequenced(1n, 1, 0, 3))
    expect(Option.getOrThrow(HashMap.get(state.entries, 1n)).batches.length).toBe(1)
    expect(answer(state, sequenced(1n, 0, 0, 3))).toBe("INVALID_PRODUCER_EPOCH")
  })

  test("a marker raises the epoch and starts the sequences anew", () => {
    const state = evolveProducers(after(sequenced(1n, 0, 0, 3)), makeBatch(1, { producerId: 1n, producerEpoch: 1, isControl: true, isTransactional: true }), 0)
    expect([answer(state, sequenced(1n, 1, 0, 1)), answer(state, sequenced(1n, 1, 3, 1)), answer(state, sequenced(1n, 0, 3, 1))]).toEqual([
      "New",
      "OUT_OF_ORDER_SEQUENCE_NUMBER",
      "INVALID_PRODUCER_EPOCH"
    ])
  })

  test("evolve leaves the state before as it was", () => {
    const before = after(sequenced(1n, 0, 0, 1))
    evolveProducers(before, sequenced(1n, 0, 1, 1), 5)
    expect(answer(before, sequenced(1n, 0, 1, 1))).toBe("New")
  })
})

describe("the number of producers is bounded", () => {
  test("silent producers expire", () => {
    const state = [0, 100, 200].reduce((all, at) => evolveProducers(all, sequenced(BigInt(at), 0, 0, 1), at), noProducers)
    expect([...HashMap.keys(expireProducers(state, 1100, 1000).entries)].sort()).toEqual([200n])
    expect(expireProducers(state, 999, 1000)).toBe(state)
  })

  test("above the bound the producers that were silent longest are removed", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.uniqueArray(fc.nat(1000), { maxLength: 80 }), (max, times) => {
        const state = times.reduce((all, at) => evolveProducers(all, sequenced(BigInt(at), 0, 0, 1), at), noProducers)
        const kept = [...HashMap.keys(boundProducers(state, max).entries)].map(Number).sort((a, b) => b - a)
        expect(kept.length).toBeLessThanOrEqual(max)
        expect(kept).toEqual(times.toSorted((a, b) => b - a).slice(0, kept.length))
        if (times.length <= max) expect(kept.length).toBe(times.length)
      })
    ))
})
