import { describe, expect, test } from "bun:test"
import { Either } from "effect"
import { canAnswer, errorAnswer } from "../../../../src/programs/fault/error-answer.ts"
import { decodeResponse } from "../../../../src/protocol/codec/compile.ts"
import { requestFrame } from "../../../../src/protocol/codec/frame.ts"
import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import { OffsetFetch } from "../../../../src/protocol/message/09-offset-fetch.ts"
import { JoinGroup } from "../../../../src/protocol/message/11-join-group.ts"
import { DeleteTopics } from "../../../../src/protocol/message/20-delete-topics.ts"
import { AddPartitionsToTxn } from "../../../../src/protocol/message/24-add-partitions-to-txn.ts"
import { apis } from "../../../../src/protocol/message/registry.ts"
import type { AnyApi, AnyWire, RequestDraft, ResponseOf } from "../../../../src/protocol/type/wire.ts"

const code = 6
const correlationId = 0x01020304

/** The response to a request, decoded. */
const answer = <A extends AnyApi>(api: A, version: number, draft: RequestDraft<A>): ResponseOf<A> | undefined => {
  const frame = Buffer.concat(requestFrame(api, version, { correlationId, clientId: "test" }, draft)).subarray(4)
  const answered = errorAnswer(api, frame, code)
  if (answered === undefined) return undefined
  const view = new DataView(answered.buffer, answered.byteOffset, answered.length)
  expect([view.getInt32(0), view.getInt32(4)]).toEqual([answered.length - 4, correlationId])
  const hasTags = api.key !== 18 && version >= api.flexible
  return Either.getOrThrow(decodeResponse(api, version, answered, hasTags ? 9 : 8)) as ResponseOf<A>
}

/** A request with one element in every list. */
const sample = ({ shape, zero }: AnyWire, version: number): unknown => {
  switch (shape.kind) {
    case "array":
      return [sample(shape.of, version)]
    case "nullable":
      return sample(shape.of, version)
    case "struct":
      return Object.fromEntries(
        shape.fields.filter(({ since, until }) => version >= since && version <= until).map(({ name, wire }) => [name, sample(wire, version)])
      )
    default:
      return zero
  }
}

/** The error codes anywhere in a response. */
const codes = (value: unknown): ReadonlyArray<number> =>
  value === null || typeof value !== "object"
    ? []
    : Object.entries(value).flatMap(([name, part]) => (/^errorCode$|ErrorCode$/.test(name) ? [part as number] : codes(part)))

describe("an error for a request of every API and version that carries one", () => {
  for (const api of apis.filter((each) => canAnswer(each) && each.name !== "Metadata"))
    test(api.name, () => {
      for (let version = api.versions[0]; version <= api.versions[1]; version++) {
        const got = answer(api, version, sample(api.request.body, version) as never)
        // A version before the field carries none: such a request passes.
        if (got !== undefined) expect(codes(got)).toContain(code)
      }
      expect(answer(api, api.versions[1], sample(api.request.body, api.versions[1]) as never)).toBeDefined()
    })
})

describe("an error for each part of a request", () => {
  const topicId = "BvXgbDGDQkqSB0fKXyZf6Q"
  test("partitions", () => {
    const partitionData = [0, 7].map((index) => ({ index, records: new Uint8Array(0) }))
    expect(answer(Produce, 9, { acks: -1, timeoutMs: 1, topicData: [{ name: "orders", partitionData }] })?.responses).toMatchObject([
      {
        name: "orders",
        partitionResponses: [
          { index: 0, errorCode: code },
          { index: 7, errorCode: code }
        ]
      }
    ])
    const fetch = { maxWaitMs: 0, minBytes: 1, topics: [{ topicId, partitions: [{ partition: 3, fetchOffset: 0n, partitionMaxBytes: 1 }] }] }
    expect(answer(Fetch, 13, fetch)).toMatchObject({ errorCode: 0, responses: [{ topicId, partitions: [{ partitionIndex: 3, errorCode: code }] }] })
    expect(answer(Fetch, 13, { ...fetch, topics: [] })).toMatchObject({ errorCode: code, responses: [] })
  })
  test("what a request names by its name or index alone", () => {
    expect(answer(DeleteTopics, 5, { topicNames: ["a", "b"], timeoutMs: 1 } as never)?.responses).toMatchObject([
      { name: "a", errorCode: code },
      { name: "b", errorCode: code }
    ])
    expect(answer(OffsetFetch, 7, { groupId: "g", topics: [{ name: "a", partitionIndexes: [4] }] } as never)?.topics).toMatchObject([
      { name: "a", partitions: [{ partitionIndex: 4, errorCode: code }] }
    ])
  })
  test("by version, and of the whole response", () => {
    const topics = [{ name: "a", partitions: [1] }]
    const old = { v3AndBelowTransactionalId: "t", v3AndBelowProducerId: 1n, v3AndBelowProducerEpoch: 0, v3AndBelowTopics: topics }
    expect(codes(answer(AddPartitionsToTxn, 3, old as never))).toContain(code)
    expect(
      answer(JoinGroup, 5, {
        groupId: "g",
        sessionTimeoutMs: 1,
        memberId: "m",
        protocolType: "consumer",
        protocols: [{ name: "range", metadata: new Uint8Array(0) }]
      })
    ).toMatchObject({ errorCode: code, memberId: "m", members: [] })
  })
})
