import { expect, test } from "bun:test"
import fc from "fast-check"
import { decodeEpochCheckpoint, type EpochStart, encodeEpochCheckpoint } from "../../../domain/log/epoch-checkpoint.ts"

const starts = fc
  .array(fc.record({ epoch: fc.integer({ min: 1, max: 5 }), offset: fc.integer({ min: 1, max: 10_000_000 }) }), { maxLength: 80 })
  .map((steps) =>
    steps.reduce<Array<EpochStart>>(
      (all, { epoch, offset }) => [...all, { epoch: (all.at(-1)?.epoch ?? -1) + epoch, offset: (all.at(-1)?.offset ?? -1) + offset }],
      []
    )
  )

test("is Kafka's text: version, count, an epoch and its first offset a line", () => {
  expect(encodeEpochCheckpoint([])).toBe("0\n0\n")
  const text = "0\n2\n0 0\n5 1234\n"
  expect(encodeEpochCheckpoint(decodeEpochCheckpoint(text) ?? [])).toBe(text)
})

test("decodes to what was encoded; a file torn by a power cut decodes to nothing", () =>
  fc.assert(
    fc.property(starts, fc.nat(), fc.nat(3), (all, cut, sector) => {
      const text = encodeEpochCheckpoint(all)
      expect(decodeEpochCheckpoint(text)).toEqual(all)
      expect(decodeEpochCheckpoint(text.slice(0, cut % text.length))).toBeUndefined()
      const from = (sector * 512) % text.length
      const blank = text.slice(0, from) + "\0".repeat(Math.min(512, text.length - from)) + text.slice(from + 512)
      expect(decodeEpochCheckpoint(blank)).toBeUndefined()
    })
  ))

test.each(["", "1\n0\n", "0\n1\n", "0\n1\n1 -2\n", "0\n2\n1 0\n1 5\n", "0\n2\n1 5\n2 5\n", "0\n1\n1 9999999999999999\n", "0\n1\n1 2\n\n", "0\n0"])(
  "%j is none",
  (text) => expect(decodeEpochCheckpoint(text)).toBeUndefined()
)
