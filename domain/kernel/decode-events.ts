import { Either, Option, ParseResult, Predicate, Schema, SchemaAST } from "effect"

type Check = (value: unknown) => boolean
type Decode<A> = (json: unknown) => Either.Either<A, ParseResult.ParseError>

const options: SchemaAST.ParseOptions = {}

/**
 * Returns a check whether a JSON value matches a schema and decodes to itself; undefined for a schema that decodes to
 * another value, or whose kind is not supported here.
 */
const checkOf = (ast: SchemaAST.AST): Check | undefined => {
  switch (ast._tag) {
    case "Literal":
      return (value) => value === ast.literal
    case "StringKeyword":
      return Predicate.isString
    case "NumberKeyword":
      return Predicate.isNumber
    case "BooleanKeyword":
      return Predicate.isBoolean
    case "UndefinedKeyword":
      return Predicate.isUndefined
    case "Refinement": {
      const from = checkOf(ast.from)
      return from && ((value) => from(value) && Option.isNone(ast.filter(value, options, ast)))
    }
    case "Union": {
      const members = ast.types.flatMap((type) => checkOf(type) ?? [])
      return members.length === ast.types.length ? (value) => members.some((check) => check(value)) : undefined
    }
    case "TupleType":
      return arrayOf(ast)
    case "TypeLiteral":
      return ast.indexSignatures.length === 0 ? structOf(ast) : recordOf(ast)
    default:
      return undefined
  }
}

/** Tuples, and arrays of one kind, also those that must not be empty. */
const arrayOf = (ast: SchemaAST.TupleType): Check | undefined => {
  const { elements, rest } = ast
  if (rest.length === 0) return tupleOf(ast)
  const [item] = rest
  const check = item === undefined || rest.length > 1 ? undefined : checkOf(item.type)
  const first = elements.flatMap(({ isOptional, type }) => (isOptional ? [] : (checkOf(type) ?? [])))
  if (check === undefined || first.length !== elements.length) return undefined
  return (value) => Array.isArray(value) && value.length >= first.length && value.every((one, at) => (first[at] ?? check)(one))
}

/** Tuples with all their elements. */
const tupleOf = ({ elements }: SchemaAST.TupleType): Check | undefined => {
  const checks = elements.flatMap(({ isOptional, type }) => (isOptional ? [] : (checkOf(type) ?? [])))
  if (checks.length < elements.length) return undefined
  return (value) => Array.isArray(value) && value.length === checks.length && checks.every((check, at) => check(value[at]))
}

/** Records of one kind by text. */
const recordOf = ({ indexSignatures, propertySignatures }: SchemaAST.TypeLiteral): Check | undefined => {
  const [signature] = indexSignatures
  if (signature === undefined || indexSignatures.length > 1 || propertySignatures.length > 0 || signature.parameter._tag !== "StringKeyword") return undefined
  const check = checkOf(signature.type)
  // The schema copies the record, and a key of that name would become its prototype.
  return check && ((value) => Predicate.isRecord(value) && !Object.hasOwn(value, "__proto__") && Object.values(value).every(check))
}

interface Field {
  readonly name: string
  readonly check: Check
  readonly isOptional: boolean
}

/** The fields of a struct, where each decodes to itself. */
const fieldsIn = ({ propertySignatures }: SchemaAST.TypeLiteral): ReadonlyArray<Field> | undefined => {
  const fields = propertySignatures.flatMap(({ isOptional, name, type }) => {
    const check = typeof name === "string" ? checkOf(type) : undefined
    return check === undefined ? [] : [{ name: name as string, check, isOptional }]
  })
  return fields.length === propertySignatures.length ? fields : undefined
}

/**
 * Structs with all their fields and no others: a schema leaves out what it does not know, so that such a value does not
 * decode to itself.
 */
const structOf = (ast: SchemaAST.TypeLiteral): Check | undefined => {
  const fields = fieldsIn(ast)
  if (fields === undefined || fields.some(({ isOptional }) => isOptional)) return undefined
  return (value) => Predicate.isRecord(value) && Object.keys(value).length === fields.length && fields.every(({ check, name }) => check(value[name]))
}

interface Shape {
  readonly fields: ReadonlyArray<Field>
  readonly construct: (fields: Readonly<Record<string, unknown>>) => unknown
}

/** A class of events whose fields all decode to themselves, by its tag. */
const shapeOf = (ast: SchemaAST.AST): readonly [tag: string, Shape] | undefined => {
  if (ast._tag !== "Transformation" || ast.from._tag !== "TypeLiteral" || ast.from.indexSignatures.length > 0) return undefined
  const { transformation } = ast
  if (transformation._tag !== "FinalTransformation") return undefined
  const fields = fieldsIn(ast.from)
  const tag = ast.from.propertySignatures.find(({ name }) => name === "_tag")?.type
  if (fields === undefined || tag?._tag !== "Literal" || typeof tag.literal !== "string") return undefined
  return [tag.literal, { fields, construct: (props) => transformation.decode(props, options, ast, props) }]
}

const shapesOf = (schema: Schema.Schema.AnyNoContext): ReadonlyMap<string, Shape> => {
  const members = schema.ast._tag === "Union" ? schema.ast.types : [schema.ast]
  return new Map(members.flatMap((member) => [shapeOf(member) ?? []].filter((shape) => shape.length === 2)))
}

/** Returns the fields that a shape names, where each matches the schema; otherwise undefined. */
const fieldsOf = ({ fields }: Shape, from: object): Readonly<Record<string, unknown>> | undefined => {
  const found: Record<string, unknown> = {}
  for (const { check, isOptional, name } of fields) {
    const value = (from as Readonly<Record<string, unknown>>)[name]
    if (!check(value)) return undefined
    // An optional field that is absent stays absent.
    if (!isOptional || value !== undefined) found[name] = value
  }
  return found
}

/** A schema throws on an object whose `toString` is no function, where it looks for a literal. */
const total =
  <A>(decode: Decode<A>): Decode<A> =>
  (json) => {
    try {
      return decode(json)
    } catch {
      return Either.left(
        new ParseResult.ParseError({ issue: new ParseResult.Type(SchemaAST.unknownKeyword, undefined, "a field has a value that cannot be read") })
      )
    }
  }

/**
 * Reads events of a union of tagged classes as `Schema.decodeUnknownEither` does, which interprets the schema anew for
 * each: 2 to 4 µs, where the replay of a journal has a million. Events that this fast path does not support, and all
 * that are wrong, go through the schema itself: it decides, and has the reason.
 */
export const decodeEvents = <A, I>(schema: Schema.Schema<A, I>): Decode<A> => {
  const slow = total(Schema.decodeUnknownEither(schema))
  const shapes = shapesOf(schema)
  return (json) => {
    const shape = Predicate.isRecord(json) && typeof json._tag === "string" ? shapes.get(json._tag) : undefined
    const props = shape && fieldsOf(shape, json as object)
    if (shape === undefined || props === undefined) return slow(json)
    const made = shape.construct(props)
    return Either.isEither(made) && Either.isRight(made) ? Either.right(made.right as A) : slow(json)
  }
}

/**
 * Writes events as `Schema.encodeSync` does, by the same shapes: a broker that restarts changes the leader of thousands
 * of partitions at once. Throws what the schema throws.
 */
export const encodeEvents = <A extends { readonly _tag: string }, I extends object>(schema: Schema.Schema<A, I>): ((event: A) => object) => {
  const slow = Schema.encodeSync(schema)
  const shapes = shapesOf(schema)
  return (event) => {
    const shape = shapes.get(event._tag)
    return (shape && fieldsOf(shape, event)) ?? slow(event)
  }
}

/**
 * Returns a reader of values that decode to themselves, as `Schema.decodeUnknownEither` reads them: rows of which a
 * snapshot has hundreds of thousands. All that are wrong go through the schema itself, which has the reason.
 */
export const decodeRows = <A, I>(schema: Schema.Schema<A, I>): Decode<A> => {
  const slow = total(Schema.decodeUnknownEither(schema))
  const check = checkOf(schema.ast)
  return check === undefined ? slow : (json) => (check(json) ? Either.right(json as A) : slow(json))
}
