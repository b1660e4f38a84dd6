import { describe, expect, test } from "bun:test"
import { Either } from "effect"
import fc from "fast-check"
import { decodeAt, encode } from "../../../src/protocol/codec/compile.ts"
import { joined } from "../../../src/protocol/codec/joined.ts"
import { GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue } from "../../../src/protocol/message/consumer-offsets.ts"
import { ConsumerProtocolAssignment, ConsumerProtocolSubscription } from "../../../src/protocol/message/consumer-protocol.ts"
import { apis } from "../../../src/protocol/message/registry.ts"
import type { Schema } from "../../../src/protocol/type/wire.ts"
import { valueOf } from "./arbitrary.ts"

/** Cases for each message in each version. */
const runs = Number(process.env["FRANZ_PROPERTY_RUNS"] ?? 60)

const schemas: ReadonlyArray<Schema<unknown, never>> = [
  ...apis.flatMap(({ request, response }) => [request, response]),
  ConsumerProtocolSubscription,
  ConsumerProtocolAssignment,
  OffsetCommitKey,
  OffsetCommitValue,
  GroupMetadataKey,
  GroupMetadataValue
]
const versionsOf = ({ versions: [first, last] }: Schema<unknown, never>): ReadonlyArray<number> =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)
const written = (schema: Schema<unknown, never>, version: number, value: unknown): Uint8Array => joined(encode(schema, version, value as never))

describe("decode(encode(x)) = x, in every version", () => {
  test.each(schemas.map((schema) => [schema.name, schema] as const))("%s", (_, schema) => {
    for (const version of versionsOf(schema)) {
      fc.assert(
        fc.property(valueOf(schema.body, version, version >= schema.flexible), fc.nat(3), (value, before) => {
          const bytes = written(schema, version, value)
          // The value stands somewhere in a frame: what is before and behind it must not matter.
          const frame = new Uint8Array(before + bytes.length + 2).fill(0xff)
          frame.set(bytes, before)
          const read = decodeAt(schema, version, frame, before)
          expect(Either.getOrThrow(read)).toMatchObject({ value, end: before + bytes.length })
        }),
        { numRuns: runs }
      )
    }
  })
})

describe("what a draft leaves out is read as Kafka's default, in every version", () => {
  test.each(schemas.map((schema) => [schema.name, schema] as const))("%s", (_, schema) => {
    const { shape, zero } = schema.body
    const fields = shape.kind === "struct" ? shape.fields : []
    const draft = Object.fromEntries(fields.filter(({ optional }) => !optional).map(({ name, wire }) => [name, wire.zero]))
    for (const version of versionsOf(schema)) {
      expect(Either.getOrThrow(decodeAt(schema, version, written(schema, version, draft))).value).toEqual(zero)
    }
  })
})
