import { describe, expect, test } from "bun:test"
import { Either } from "effect"
import fc from "fast-check"
import { decodeInSlices, decodeRequest, encode } from "../../../src/protocol/codec/compile.ts"
import { responseFrame, responseFrameInSlices } from "../../../src/protocol/codec/frame.ts"
import { joined } from "../../../src/protocol/codec/joined.ts"
import { DescribeGroups } from "../../../src/protocol/message/15-describe-groups.ts"
import { CreateTopics } from "../../../src/protocol/message/19-create-topics.ts"
import { apis } from "../../../src/protocol/message/registry.ts"
import type { AnyApi } from "../../../src/protocol/type/wire.ts"
import { valueOf } from "./arbitrary.ts"
import { type Mutation, mutations, seeded } from "./mutate.ts"

/** Runs all steps; answers how many pauses there were. */
const run = <A>(steps: Generator<void, A>): { readonly value: A; readonly pauses: number } => {
  for (let pauses = 0; ; pauses++) {
    const step = steps.next()
    if (step.done === true) return { value: step.value, pauses }
  }
}
const elementsMax = 1_000_000
const read = (api: AnyApi, version: number, bytes: Uint8Array) =>
  Either.map(run(decodeInSlices(api, version, bytes, 0, elementsMax)).value, ({ value }) => value)

describe("what is read and written in slices is what is read and written at once, in every version", () => {
  test.each(apis.map((api) => [api.name, api] as const))("%s", (_, api) => {
    for (let version = api.versions[0]; version <= api.versions[1]; version++) {
      const flexible = version >= api.flexible
      fc.assert(
        fc.property(valueOf(api.request.body, version, flexible), valueOf(api.response.body, version, flexible), fc.nat(), (request, response, seed) => {
          const bytes = joined(encode(api.request, version, request as never))
          expect(read(api, version, bytes)).toEqual(Either.right(request))
          expect(joined(run(responseFrameInSlices(api, version, 7, response as never)).value)).toEqual(
            joined(responseFrame(api, version, 7, response as never))
          )
          const draw = seeded(seed)
          const spoil = Object.values(mutations)[draw(Object.keys(mutations).length)] as Mutation
          const spoiled = spoil(bytes, draw, bytes)
          expect(read(api, version, spoiled)).toEqual(decodeRequest(api, version, spoiled, 0, { elementsMax }))
        }),
        { numRuns: 15 }
      )
    }
  })
})

describe("a large message pauses", () => {
  const names = Array.from({ length: 50_000 }, (_, n) => `g${n}`)
  test("while it is read, at least once for each 8 KiB", () => {
    const bytes = joined(encode(DescribeGroups.request, 0, { groups: names }))
    expect(run(decodeInSlices(DescribeGroups, 0, bytes, 0, elementsMax)).pauses).toBeGreaterThan(bytes.length / 8192)
  })
  test("in arrays within structs, too", () => {
    const topic = { name: "t", numPartitions: -1, replicationFactor: -1, assignments: [{ partitionIndex: 0, brokerIds: names.map((_, n) => n) }], configs: [] }
    const bytes = joined(encode(CreateTopics.request, 7, { topics: [topic], timeoutMs: 1 }))
    expect(run(decodeInSlices(CreateTopics, 7, bytes, 0, elementsMax)).pauses).toBeGreaterThan(bytes.length / 8192)
  })
  test("while it is written", () => {
    const groups = names.map((groupId) => ({ errorCode: 0, groupId, groupState: "", protocolType: "", protocolData: "", members: [] }))
    expect(run(responseFrameInSlices(DescribeGroups, 0, 1, { groups })).pauses).toBeGreaterThan(50)
  })
})
