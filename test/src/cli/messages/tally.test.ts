import { describe, expect, test } from "bun:test"
import { Tally } from "../../../../src/cli/messages/tally.ts"
import { CliFailure } from "../../../../src/cli/shell/failure.ts"

const sent = (partition: number, offset: number) => ({ topic: "orders", partition, offset, timestamp: 0 })
const no = (message: string) => new CliFailure({ exit: "refused", message, hint: "smaller" })

describe("what went where", () => {
  test("by partition, whatever the order of the answers", () => {
    const tally = new Tally("orders")
    for (const place of [sent(2, 17), sent(0, 5), sent(0, 3), sent(0, 4)]) {
      tally.read()
      tally.stored(place)
    }
    expect(tally.sentence()).toBe("4 messages to orders-0@3..5 (3), orders-2@17 (1)")
    expect(tally.failure()).toBeUndefined()
    expect(tally.summary()).toEqual({
      topic: "orders",
      lines: 4,
      stored: 4,
      refused: 0,
      partitions: [
        { partition: 0, records: 3, firstOffset: 3, lastOffset: 5 },
        { partition: 2, records: 1, firstOffset: 17, lastOffset: 17 }
      ]
    })
  })
  test("one, none, and messages without a confirmation", () => {
    const tally = new Tally("orders")
    expect(tally.sentence()).toBe("0 messages to orders")
    tally.stored(sent(1, -1))
    expect(tally.sentence()).toBe("1 message to orders-1 (1, not confirmed)")
  })
})

test("the first line that was refused is named, whichever was answered first", () => {
  const tally = new Tally("orders")
  tally.refused(9, no("late"))
  tally.refused(4, no("too large"))
  tally.refused(11, no("later"))
  expect(tally.isRefused).toBe(true)
  expect(tally.failure()).toMatchObject({ exit: "refused", message: "line 4: too large\n2 later lines were in flight, and refused too.", hint: "smaller" })
})
