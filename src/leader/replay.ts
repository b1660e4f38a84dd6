import { type Context, Effect, Either, Schema, Stream } from "effect"
import { decodeEvents, encodeEvents } from "../../domain/kernel/decode-events.ts"
import type { Journal, Snapshot, StoredEntry } from "../ports/journal.ts"
import type { LogFault } from "../ports/log-store.ts"
import type { Aggregate, Named } from "./aggregate.ts"
import { Answers, type Applied } from "./answers.ts"
import { UnreadableEvent } from "./fault.ts"

/** A stream as it was read: its state, the answers that may be asked for again, and the index of the next entry. */
export interface Replayed<State, Event, Rejection> {
  readonly state: State
  readonly answers: Answers<Event, Rejection>
  readonly end: number
  /** Where the snapshot stood that the replay began with; 0 without one. */
  readonly snapshotIndex: number
}

/** What a schema says of a value that it does not know may be as long as the schema. */
const reasonCharactersMax = 300

const utf8 = new TextDecoder("utf-8", { fatal: true })
const parseJson = (bytes: Uint8Array): Either.Either<unknown, string> => Either.try({ try: () => JSON.parse(utf8.decode(bytes)) as unknown, catch: String })

/** Events as the aggregate's schema has them, without going through it for each: the answer to one command may have ten thousand. */
const eventsOf = <Event extends Named>(schema: Schema.Schema<Event, any>): Schema.Schema<ReadonlyArray<Event>, ReadonlyArray<unknown>> => {
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

/** A snapshot's JSON: the state, and the answers as [command id, index, events]. */
export const snapshotSchema = <State, Command, Event extends Named, Rejection>(aggregate: Aggregate<State, Command, Event, Rejection>) =>
  Schema.Struct({
    v: Schema.Literal(1),
    state: aggregate.state,
    answers: Schema.Array(Schema.Tuple(Schema.String, Schema.Int, eventsOf(aggregate.event)))
  })

/** The bytes of a snapshot. */
export const writeSnapshot = <State, Command, Event extends Named, Rejection>(
  aggregate: Aggregate<State, Command, Event, Rejection>,
  state: State,
  answers: ReadonlyArray<readonly [string, Applied<Event>]>
): Uint8Array => {
  const rows = answers.map(([commandId, { index, events }]) => [commandId, index, events] as const)
  return new TextEncoder().encode(JSON.stringify(Schema.encodeSync(snapshotSchema(aggregate))({ v: 1, state, answers: rows })))
}

const readSnapshot = <State, Command, Event extends Named, Rejection>(
  stream: string,
  aggregate: Aggregate<State, Command, Event, Rejection>,
  snapshot: Snapshot | undefined
): Either.Either<Replayed<State, Event, Rejection>, UnreadableEvent> => {
  const answers = new Answers<Event, Rejection>()
  if (snapshot === undefined) return Either.right({ state: aggregate.initial, answers, end: 0, snapshotIndex: 0 })
  const { index } = snapshot
  const unreadable = (reason: string) =>
    new UnreadableEvent({
      stream,
      index,
      type: "snapshot",
      message: `${stream}: the snapshot at ${index} cannot be read: ${reason.slice(0, reasonCharactersMax)}`
    })
  const decode = Schema.decodeUnknownEither(snapshotSchema(aggregate))
  const encodeAll = Schema.encodeSync(eventsOf(aggregate.event))
  return Either.gen(function* () {
    const json = yield* Either.mapLeft(parseJson(snapshot.value), unreadable)
    const { state, answers: rows } = yield* Either.mapLeft(decode(json), ({ message }) => unreadable(message))
    for (const [commandId, at, events] of rows)
      answers.remember(commandId, Either.right({ index: at, events: [...events] }), JSON.stringify(encodeAll(events)).length)
    return { state, answers, end: index, snapshotIndex: index }
  })
}

/**
 * Reads a stream: the newest snapshot, then every entry after it, folded one by one. UnreadableEvent at the first entry that this version does not know
 * or cannot read: it names the stream, the index and the type, and nothing after it is looked at (M3).
 */
export const replay = <State, Command, Event extends Named, Rejection>(
  journal: Context.Tag.Service<typeof Journal>,
  stream: string,
  aggregate: Aggregate<State, Command, Event, Rejection>,
  start: number
): Effect.Effect<Replayed<State, Event, Rejection>, LogFault | UnreadableEvent> =>
  Effect.gen(function* () {
    const from = yield* readSnapshot(stream, aggregate, yield* journal.loadSnapshot(stream))
    if (from.end < start)
      return yield* new UnreadableEvent({
        stream,
        index: from.end,
        type: "nothing",
        message: `${stream}: the journal begins at ${start}, but there is no snapshot from there on: the entries from ${from.end} are missing.`
      })
    const decode = decodeEvents(aggregate.event)
    let { state, end } = from
    const fold = (entry: StoredEntry): UnreadableEvent | undefined => {
      const event = Either.flatMap(parseJson(entry.value), (json) => Either.mapLeft(decode(json), ({ message }) => message))
      if (Either.isLeft(event) || entry.index !== end) {
        const reason = Either.isLeft(event) ? event.left : `the entry before it is ${end - 1}`
        const message = `${stream}: entry ${entry.index} of type ${entry.type} cannot be read by this version: ${reason}. Nothing is skipped; start a version that knows it.`
        return new UnreadableEvent({ stream, index: entry.index, type: entry.type, message })
      }
      state = aggregate.evolve(state, event.right)
      from.answers.extend(entry.commandId, entry.index, event.right, entry.value.length)
      end++
      return undefined
    }
    yield* journal.read(stream, end).pipe(
      Stream.runForEachChunk((entries) => {
        for (const entry of entries) {
          const fault = fold(entry)
          if (fault !== undefined) return Effect.fail(fault)
        }
        return Effect.void
      })
    )
    return { state, answers: from.answers, end, snapshotIndex: from.snapshotIndex }
  })
