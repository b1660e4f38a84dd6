import { describe, expect, test } from "bun:test"
import { Either } from "effect"
import { decodeResponse, encode } from "../../../../src/protocol/codec/compile.ts"
import { apis } from "../../../../src/protocol/message/registry.ts"
import type { AnyApi, NamedField } from "../../../../src/protocol/type/wire.ts"

const throttleTimeOf = ({ response }: AnyApi): NamedField | undefined =>
  response.body.shape.kind === "struct" ? response.body.shape.fields.find(({ name }) => name === "throttleTimeMs") : undefined

describe("the throttle time of a response", () => {
  const cases = apis.flatMap((api) => (throttleTimeOf(api) === undefined ? [] : [[api.name, api] as const]))
  test("is a field of nearly every API", () => expect(cases.length).toBeGreaterThan(70))
  test.each(cases)("%s: 0 where the handler leaves it out, what the server sets where the version carries it", (_, api) => {
    const { throttleTimeMs: _zero, ...rest } = api.response.body.zero as Record<string, unknown>
    for (let version = api.versions[0]; version <= api.versions[1]; version++) {
      const told = (more: object) =>
        (
          Either.getOrThrow(decodeResponse(api, version, Buffer.concat(encode(api.response, version, { ...rest, ...more } as never)))) as Record<
            string,
            unknown
          >
        )["throttleTimeMs"]
      expect([told({}), told({ throttleTimeMs: 250 })]).toEqual([0, version >= (throttleTimeOf(api)?.since ?? 0) ? 250 : 0])
    }
  })
})
