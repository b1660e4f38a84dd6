import { expect, test } from "bun:test"
import { encodeResponse } from "../../../src/protocol/codec/compile.ts"
import { joined } from "../../../src/protocol/codec/joined.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"

const answer = (records: Uint8Array | ReadonlyArray<Uint8Array>) => ({
  throttleTimeMs: 0,
  responses: [{ topic: "t", partitions: [{ partitionIndex: 0, errorCode: 0, highWatermark: 3n, abortedTransactions: null, records }] }]
})

test("records from several views are written as from one, and large views are handed on without a copy", () => {
  const views = [3, 1024, 5000, 1].map((size, i) => new Uint8Array(size).fill(i + 1))
  for (const version of [4, 11, 12]) {
    const chunks = encodeResponse(Fetch, version, answer(views))
    expect(joined(chunks)).toEqual(joined(encodeResponse(Fetch, version, answer(joined(views)))))
    expect(chunks).toContain(views[1] as Uint8Array)
    expect(joined(encodeResponse(Fetch, version, answer([])))).toEqual(joined(encodeResponse(Fetch, version, answer(new Uint8Array(0)))))
  }
})
