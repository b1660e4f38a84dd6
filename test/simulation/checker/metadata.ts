import { Either, Schema } from "effect"
import { fingerprintOf } from "../fingerprint.ts"
import { finalJournals, type History, type JournalReading } from "../history.ts"
import { Findings, type Violation } from "./violation.ts"

/** How one stream is folded; its state may be anything. */
export interface Fold {
  readonly stream: string
  readonly initial: unknown
  /** Answers a sentence for what it cannot read. */
  readonly step: (state: unknown, json: string) => Either.Either<unknown, string>
  /** The same text for equal states. */
  readonly show: (state: unknown) => string
  /** The text of the state that a snapshot holds. */
  readonly showSnapshot: (json: string) => Either.Either<string, string>
}

interface FoldParts<State, Event> {
  readonly stream: string
  readonly initial: State
  readonly evolve: (state: State, event: Event) => State
  readonly event: Schema.Schema<Event, any>
  readonly state: Schema.Schema<State, any>
}

const parsed = (json: string): Either.Either<unknown, string> => Either.try({ try: () => JSON.parse(json) as unknown, catch: String })

/** The fold of a stream by the same `evolve` that the nodes run, and the forms of its events and snapshots. */
export const foldOf = <State, Event>({ stream, initial, evolve, event, state }: FoldParts<State, Event>): Fold => {
  const decodeEvent = Schema.decodeUnknownEither(event)
  const decodeSnapshot = Schema.decodeUnknownEither(Schema.Struct({ state }))
  const encodeState = Schema.encodeSync(state)
  const show = (one: unknown) => JSON.stringify(encodeState(one as State))
  return {
    stream,
    initial,
    step: (before, json) =>
      Either.flatMap(parsed(json), (value) =>
        Either.mapBoth(decodeEvent(value), { onLeft: ({ message }) => message, onRight: (one) => evolve(before as State, one) })
      ),
    show,
    showSnapshot: (json) =>
      Either.flatMap(parsed(json), (value) => Either.mapBoth(decodeSnapshot(value), { onLeft: ({ message }) => message, onRight: (one) => show(one.state) }))
  }
}

/** M1, first half: a stream has each index once, without gaps, and what it once had it keeps. */
export const singleSequence = ({ journals }: History): ReadonlyArray<Violation> => {
  const findings = new Findings("M1")
  const known = new Map<string, Array<string>>()
  for (const { events, stream } of journals) {
    const before = known.get(stream) ?? []
    if (events.length < before.length) findings.add(`${stream} had ${before.length} events on disk, and later ${events.length}`)
    for (const [at, { commandId, index, json, type }] of events.entries()) {
      if (index !== at) findings.add(`${stream}: event ${index} is at position ${at}`)
      const text = `${type} ${commandId} ${json}`
      if (before[at] !== undefined && before[at] !== text) findings.add(`${stream}: event ${index} was ${before[at]}, and later ${text}`)
      before[at] = text
    }
    known.set(stream, before)
  }
  return findings.list
}

/** Calls `visit` with the state after each event, and with the one before the first. */
const walk = (fold: Fold, { events }: JournalReading, findings: Findings, visit: (index: number, state: unknown) => void): void => {
  let state = fold.initial
  visit(0, state)
  for (const { index, json, type } of events) {
    const next = fold.step(state, json)
    if (Either.isLeft(next)) return findings.add(`${fold.stream}: event ${index} of type ${type} cannot be folded: ${next.left}`)
    state = next.right
    visit(index + 1, state)
  }
}

/** M1, second half: what any node believed after the first k events is the fold of the first k events of the final journal. */
export const sameImages = (history: History, folds: ReadonlyArray<Fold>): ReadonlyArray<Violation> => {
  const findings = new Findings("M1")
  for (const reading of finalJournals(history)) {
    const fold = folds.find(({ stream }) => stream === reading.stream)
    const seen = history.images.filter(({ stream }) => stream === reading.stream)
    if (fold === undefined) continue
    const end = reading.events.length
    for (const { index, node } of seen) if (index > end) findings.add(`${node} had read ${index} events of ${reading.stream}, which has ${end}`)
    const wanted = new Set(seen.map(({ index }) => index))
    walk(fold, reading, findings, (index, state) => {
      if (!wanted.has(index)) return
      const truth = fingerprintOf(fold.show(state))
      for (const image of seen)
        if (image.index === index && image.fingerprint !== truth)
          findings.add(`${image.node} had another state than the journal after ${index} events of ${reading.stream}`)
    })
  }
  return findings.list
}

/** M2: a snapshot at k is the fold of the first k events, so that it and the rest make up the fold of all. */
export const snapshotIsFold = ({ journals }: History, folds: ReadonlyArray<Fold>): ReadonlyArray<Violation> => {
  const findings = new Findings("M2")
  for (const reading of journals) {
    const { snapshot, stream } = reading
    const fold = folds.find((each) => each.stream === stream)
    if (snapshot === undefined || fold === undefined) continue
    if (snapshot.index > reading.events.length) {
      findings.add(`${stream} has a snapshot of ${snapshot.index} events, and ${reading.events.length} events`)
      continue
    }
    const held = fold.showSnapshot(snapshot.json)
    if (Either.isLeft(held)) findings.add(`${stream}: the snapshot at ${snapshot.index} cannot be read: ${held.left}`)
    else
      walk(fold, reading, findings, (index, state) => {
        if (index === snapshot.index && fold.show(state) !== held.right)
          findings.add(`${stream}: the snapshot at ${index} is not the fold of the events before it`)
      })
  }
  return findings.list
}

const field = (json: string, name: string): unknown => Either.getOrElse(parsed(json), () => ({}) as unknown as Record<string, unknown>)?.[name as never]

/**
 * M4: a command that was answered ok has its event; the events of one command stand together, so that a repetition was not decided again; and who alone ever
 * adds a topic of a name is never told that another did.
 */
export const answeredIsJournalled = (history: History, clusterStream: string): ReadonlyArray<Violation> => {
  const findings = new Findings("M4")
  const finals = finalJournals(history)
  for (const { events, stream } of finals) {
    const last = new Map<string, number>()
    for (const { commandId, index } of events) {
      const before = last.get(commandId)
      if (before !== undefined && before !== index - 1)
        findings.add(`${stream}: command ${commandId} has the events ${before} and ${index}, and others between them`)
      last.set(commandId, index)
    }
  }
  const cluster = finals.find(({ stream }) => stream === clusterStream)
  if (cluster === undefined) return findings.list
  for (const { input, outcome, process } of history.topics) {
    const type = input.action === "add" ? "TopicAdded" : "TopicRemoved"
    const events = cluster.events.filter((event) => event.type === type && field(event.json, "topic") === input.topic)
    const what = `${process}: ${input.action} ${input.topic}`
    if (events.length > 1) findings.add(`${what} is journalled ${events.length} times`)
    if (outcome._tag === "ok" && events.length === 0) findings.add(`${what} was answered ok, and the journal has no ${type}`)
    if (outcome._tag === "ok" && input.action === "add" && events[0] !== undefined && field(events[0].json, "topicId") !== outcome.value)
      findings.add(`${what} was answered with the id ${outcome.value}, the journal has ${String(field(events[0].json, "topicId"))}`)
    if (outcome._tag === "fail" && events.length > 0) findings.add(`${what} was answered "${outcome.error}", and the journal has it`)
  }
  return findings.list
}

export const checkMetadata = (history: History, clusterStream: string, folds: ReadonlyArray<Fold>): ReadonlyArray<Violation> => [
  ...singleSequence(history),
  ...sameImages(history, folds),
  ...snapshotIsFold(history, folds),
  ...answeredIsJournalled(history, clusterStream)
]
