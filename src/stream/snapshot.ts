import { Either, Schema } from "effect"
import { decodeEvents, encodeEvents } from "../../domain/kernel/decode-events.ts"
import type { Snapshot } from "../ports/journal.ts"
import type { Restorable, Tagged } from "./aggregate.ts"
import { Answers, type Applied } from "./answers.ts"
import { UnreadableEvent } from "./fault.ts"
import { parseJson } from "./json.ts"
import { StreamFold } from "./stream-fold.ts"

/** Characters of a schema's reason that a message has: a schema may describe the whole value. */
const reasonCharactersMax = 300

/** Events as the aggregate's schema has them, without an interpretation of the schema for each: the answer to one command may have ten thousand. */
const eventsOf = <Event extends Tagged>(schema: Schema.Schema<Event, any>): Schema.Schema<ReadonlyArray<Event>, ReadonlyArray<unknown>> => {
  const decode = decodeEvents(schema)
  const encode = encodeEvents(schema)
  const event = Schema.declare((_: unknown): _ is Event => true)
  return Schema.Array(
    Schema.transformOrFail(Schema.Unknown, event, {
      strict: true,
      decode: (json) => Either.mapLeft(decode(json), ({ issue }) => issue),
      encode: (known) => Either.right(encode(known))
    })
  )
}

/** A snapshot's JSON: the state, and the responses as [command id, index, events]. */
const snapshotSchema = <State, Event extends Tagged>(restorable: Restorable<State, Event>) =>
  Schema.Struct({
    v: Schema.Literal(1),
    state: restorable.state,
    answers: Schema.Array(Schema.Tuple(Schema.String, Schema.Int, eventsOf(restorable.event)))
  })

/** Returns the bytes of a snapshot. */
export const writeSnapshot = <State, Event extends Tagged>(
  restorable: Restorable<State, Event>,
  state: State,
  answers: ReadonlyArray<readonly [string, Applied<Event>]>
): Uint8Array => {
  const rows = answers.map(([commandId, { index, events }]) => [commandId, index, events] as const)
  return new TextEncoder().encode(JSON.stringify(Schema.encodeSync(snapshotSchema(restorable))({ v: 1, state, answers: rows })))
}

/** Returns a fold that begins with the state of a snapshot. UnreadableEvent of type "snapshot" where this version cannot read it. */
export const foldOfSnapshot = <State, Event extends Tagged, Rejection = never>(
  stream: string,
  restorable: Restorable<State, Event>,
  { index, value }: Snapshot
): Either.Either<StreamFold<State, Event, Rejection>, UnreadableEvent> => {
  const unreadable = (reason: string) =>
    new UnreadableEvent({
      stream,
      index,
      type: "snapshot",
      message: `${stream}: the snapshot at ${index} cannot be read by this version: ${reason.slice(0, reasonCharactersMax)}`
    })
  const decode = Schema.decodeUnknownEither(snapshotSchema(restorable))
  const encodeAll = Schema.encodeSync(eventsOf(restorable.event))
  return Either.gen(function* () {
    const json = yield* Either.mapLeft(parseJson(value), unreadable)
    const { state, answers: rows } = yield* Either.mapLeft(decode(json), ({ message }) => unreadable(message))
    const answers = new Answers<Event, Rejection>()
    for (const [commandId, at, events] of rows)
      answers.remember(commandId, Either.right({ index: at, events: [...events] }), JSON.stringify(encodeAll(events)).length)
    return new StreamFold<State, Event, Rejection>(stream, restorable, { state, index, answers })
  })
}
