import { describe, expect, test } from "bun:test"
import { Either, Schema, SchemaAST } from "effect"
import fc from "fast-check"
import { Event as ClusterEvent } from "../../../domain/cluster/event.ts"
import { Event as GroupEvent } from "../../../domain/group/event.ts"
import { decodeEvents, encodeEvents } from "../../../domain/kernel/decode-events.ts"

/** JSON that a schema decodes. Refined values are drawn from a pool, and values that do not match are discarded. */
const jsonOf = (ast: SchemaAST.AST): fc.Arbitrary<unknown> => {
  switch (ast._tag) {
    case "Literal":
      return fc.constant(ast.literal)
    case "NumberKeyword":
      return fc.integer()
    case "BooleanKeyword":
      return fc.boolean()
    case "Refinement": {
      const pool = fc.oneof(fc.nat(1000), fc.constantFrom("BvXgbDGDQkqSB0fKXyZf6Q", "0123456789abcdefghijkA", "orders", "a.b_c"), jsonOf(ast.from))
      return pool.filter(Schema.is(Schema.make(SchemaAST.encodedAST(ast))))
    }
    case "Union":
      return fc.oneof(...ast.types.map(jsonOf))
    case "TupleType": {
      const [rest] = ast.rest
      const more = rest === undefined ? fc.constant([]) : fc.array(jsonOf(rest.type), { maxLength: 3 })
      return fc.tuple(fc.tuple(...ast.elements.map(({ type }) => jsonOf(type))), more).map(([fixed, others]) => [...fixed, ...others])
    }
    case "TypeLiteral": {
      const fields = Object.fromEntries(ast.propertySignatures.map(({ name, type }) => [String(name), jsonOf(type)]))
      return ast.indexSignatures.length > 0 ? fc.dictionary(fc.string(), jsonOf(ast.indexSignatures[0]?.type ?? ast)) : fc.record(fields)
    }
    case "Transformation":
      return ast.from._tag === "StringKeyword" ? fc.nat().map(String) : jsonOf(ast.from)
    default:
      return fc.string()
  }
}

const sameAsSchema = <A extends { readonly _tag: string }, I extends object>(schema: Schema.Schema<A, I>) => {
  const decode = decodeEvents(schema)
  const reference = Schema.decodeUnknownEither(schema)
  /** Undefined where the schema throws. */
  const read = (json: unknown) => {
    try {
      return reference(json)
    } catch {
      return undefined
    }
  }
  const agree = (json: unknown): void => {
    const actual = decode(json)
    const expected = read(json)
    if (expected === undefined) return expect(Either.isLeft(actual)).toBe(true)
    expect(Either.isRight(actual)).toBe(Either.isRight(expected))
    if (Either.isLeft(expected)) expect(Either.match(actual, { onLeft: ({ message }) => message, onRight: () => "" })).toBe(expected.left.message)
    else expect(Either.getOrThrow(actual)).toStrictEqual(expected.right)
  }
  const events = jsonOf(schema.ast).map((event) => JSON.parse(JSON.stringify(event)) as Record<string, unknown>)

  test("every event is decoded as the schema decodes it", () => {
    let read = 0
    const each = (event: unknown) => {
      agree(event)
      read += Either.isRight(decode(event)) ? 1 : 0
    }
    fc.assert(fc.property(events, each), { numRuns: 400 })
    expect(read).toBeGreaterThan(100)
  })

  test.each(['{"_tag":"NodeConfigsChanged","v":1,"nodeId":null,"configs":{"__proto__":""}}', '{"_tag":"GroupCreated","v":{"toString":""}}'])("%s", (text) =>
    agree(JSON.parse(text))
  )
  test("every event is encoded as the schema encodes it, and an invalid event is not encoded", () => {
    const encode = encodeEvents(schema)
    const write = Schema.encodeSync(schema)
    const each = (json: unknown) => {
      const event = decode(json)
      if (Either.isLeft(event)) return
      expect(encode(event.right)).toEqual(write(event.right))
    }
    fc.assert(fc.property(events, each), { numRuns: 400 })
    expect(() => encode({ _tag: "Unheard" } as never)).toThrow()
    for (const member of schema.ast._tag === "Union" ? schema.ast.types : []) {
      const { _tag } = fc.sample(jsonOf(member), 1)[0] as { readonly _tag: string }
      expect(() => encode({ _tag, v: "one" } as never)).toThrow()
    }
  })

  test("an event with a missing, invalid or unknown field is decoded or refused as by the schema, with its message", () => {
    const other = fc.oneof(fc.jsonValue(), fc.constant(undefined), fc.integer(), fc.string())
    fc.assert(
      fc.property(events, fc.nat(), other, fc.boolean(), (event, at, value, isNew) => {
        const names = Object.keys(event)
        const name = isNew ? "unknown" : (names[at % names.length] ?? "")
        const { [name]: _, ...rest } = event
        agree(value === undefined ? rest : { ...rest, [name]: value })
      }),
      { numRuns: 600 }
    )
  })
}

describe("events of the cluster", () => sameAsSchema(ClusterEvent))
describe("events of groups", () => sameAsSchema(GroupEvent))

describe("values that are not events", () => {
  const decode = decodeEvents(ClusterEvent)
  for (const json of [null, 1, "TopicAdded", [], {}, { _tag: 1 }, { _tag: "constructor" }, { _tag: "Unheard" }])
    test(JSON.stringify(json), () => expect(Either.isLeft(decode(json))).toBe(true))
})
