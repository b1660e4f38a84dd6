import { heapStats } from "bun:jsc"
import { expect, test } from "bun:test"
import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { send } from "../../../../src/wire/connection/unread.ts"
import { noResponse, responseTo, route } from "../../../../src/wire/route.ts"
import { contextOf } from "../context.ts"

// The engine keeps a small array within its own heap until its `buffer` is read. Then it makes an ArrayBuffer and copies
// the bytes: 0.5 to 1 µs of a request that takes 12.
test("a small response is checked and sent without an ArrayBuffer of its own", () => {
  const { encode } = route(Produce, {}, () => noResponse)
  const kept: Array<ReadonlyArray<Uint8Array>> = []
  const connection = { write: (chunks: ReadonlyArray<Uint8Array>) => kept.push(chunks) }
  const buffers = () => heapStats().objectTypeCounts["ArrayBuffer"] ?? 0
  const before = buffers()
  for (let correlationId = 0; correlationId < 1000; correlationId++) {
    const context = contextOf({ apiKey: 0, apiVersion: 9, correlationId })
    const partitionResponses = [{ index: 0, errorCode: 0, baseOffset: BigInt(correlationId) }]
    send(connection, responseTo(context, encode(context, { responses: [{ name: "orders", partitionResponses }] })), { sent: () => {} })
  }
  expect(buffers() - before).toBeLessThan(100)
  expect(kept).toHaveLength(1000)
})
