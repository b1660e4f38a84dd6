import { Cause, type Context, Deferred, Effect, Either, Exit, FiberId, Option, Queue, type Scope } from "effect"
import { encodeEvents } from "../../domain/kernel/decode-events.ts"
import type { Epoch } from "../../domain/kernel/id.ts"
import { type Entry, Journal } from "../ports/journal.ts"
import type { LogFault } from "../ports/log-store.ts"
import { runSteps, type Steps, Stride } from "../wire/sliced.ts"
import type { Aggregate, Named } from "./aggregate.ts"
import type { Answers, Applied, Outcome } from "./answers.ts"
import { damagedJournal, stoppedBy, type UnreadableEvent, WriterStopped } from "./fault.ts"
import { replay, writeSnapshot } from "./replay.ts"

export type { Applied } from "./answers.ts"

/** A command with what explains its events in the journal. */
export interface Submission<Command> {
  readonly command: Command
  /** A repetition of one that begins with `client:` gets the first answer (M4). */
  readonly commandId: string
  /** Who asked: a client id with its address, a node, or "leader". */
  readonly actor: string
  /** Why: the request or the timer behind it. */
  readonly cause: string
}

/** Events that are durable now, and the state after the last of them. */
export interface Change<State, Event> {
  /** Index of the first of `events`. */
  readonly index: number
  readonly events: ReadonlyArray<Event>
  readonly state: State
}

export interface WriterOptions {
  /** A snapshot is written after so many events; the next start reads from there. */
  readonly snapshotIntervalEvents: number
  /** A snapshot is written after so many bytes of events too, where they are large. Default 32 MiB. */
  readonly snapshotIntervalBytes?: number
  /** Whether what lies before a snapshot is let go. Not for a stream that somebody follows from its start. */
  readonly trimAfterSnapshot?: boolean
  /** Commands that wait; who submits more waits himself. */
  readonly queuedCommandsMax?: number
}

/**
 * The one place that decides on a stream. Commands are decided one after the other, each on the state that the one before it left; what they decided goes
 * to the journal together, for one sync; then the state is published and everybody gets an answer. So nothing is ever answered from a state that a crash
 * could take back, a rejection neither.
 */
export interface Writer<State, Command, Event, Rejection> {
  readonly stream: string
  readonly epoch: Epoch
  /** The fold of all durable events. */
  readonly state: () => State
  /** The index that the next event will get. */
  readonly end: () => number
  /** Index of the first entry that the journal had when this writer started. */
  readonly start: number
  /** Decides, journals, answers. Never answers once the writer has stopped: the node goes down, and the caller learns that nobody knows. */
  readonly submit: (submission: Submission<Command>) => Effect.Effect<Applied<Event>, Rejection>
  /** Many at once, decided in order: each gets its answer, a rejection does not stop those behind it. */
  readonly submitAll: (submissions: ReadonlyArray<Submission<Command>>) => Effect.Effect<ReadonlyArray<Either.Either<Applied<Event>, Rejection>>>
  /** Calls `listener` after each durable change, in order, before the commands behind it are answered; it must not throw or wait. Answers how to stop that. */
  readonly onChange: (listener: (change: Change<State, Event>) => void) => () => void
  /** Waits until `pick` finds something in the state; looks at once, and then after each change. */
  readonly when: <A>(pick: (state: State) => A | undefined) => Effect.Effect<A>
  /** Fails when the journal refuses: the node must stop. */
  readonly stopped: Effect.Effect<never, WriterStopped>
}

interface Waiting<Command, Event, Rejection> extends Submission<Command> {
  readonly answer: Deferred.Deferred<Applied<Event>, Rejection>
}

/** What was decided together, before it is durable. */
interface Round<State, Event, Rejection> {
  readonly state: State
  readonly entries: ReadonlyArray<Entry>
  readonly events: ReadonlyArray<Event>
  readonly outcomes: ReadonlyArray<Outcome<Event, Rejection>>
  /** Those that were decided here, not repeated. */
  readonly commandIds: ReadonlyArray<string>
}

/** Commands that one turn takes from the queue, and bytes of events that go to the journal at a time (one command may have more). */
const commandsPerTurnMax = 1024
const appendBytesMax = 4 * 1024 * 1024

/** What a rejection that is remembered is counted with: a code and a sentence. */
const refusalBytes = 512
const snapshotIntervalBytesDefault = 32 * 1024 * 1024
/** Commands and events that are decided, encoded and folded between two pauses. */
const eventsPerStep = 8

const utf8 = new TextEncoder()

class StreamWriter<State, Command, Event extends Named, Rejection> implements Writer<State, Command, Event, Rejection> {
  private readonly listeners = new Set<(change: Change<State, Event>) => void>()
  private readonly encode: (event: Event) => object
  /** Where the last attempt at a snapshot was, and where the last one stands that is there. */
  private snapshotIndex: number
  private savedIndex: number
  private snapshotting = false
  /** Bytes of events since the last attempt at a snapshot. */
  private bytesSince = 0

  constructor(
    readonly stream: string,
    readonly epoch: Epoch,
    readonly start: number,
    private readonly aggregate: Aggregate<State, Command, Event, Rejection>,
    private readonly journal: Context.Tag.Service<typeof Journal>,
    private readonly options: WriterOptions,
    private readonly queue: Queue.Queue<Waiting<Command, Event, Rejection>>,
    private readonly fault: Deferred.Deferred<never, WriterStopped>,
    private readonly answers: Answers<Event, Rejection>,
    private durable: State,
    private durableEnd: number,
    snapshotIndex: number
  ) {
    this.encode = encodeEvents(aggregate.event)
    this.snapshotIndex = this.savedIndex = snapshotIndex
  }

  readonly state = (): State => this.durable
  readonly end = (): number => this.durableEnd

  get stopped(): Effect.Effect<never, WriterStopped> {
    return Deferred.await(this.fault)
  }

  readonly submit = (submission: Submission<Command>): Effect.Effect<Applied<Event>, Rejection> =>
    Effect.gen(this, function* () {
      const answer = yield* Deferred.make<Applied<Event>, Rejection>()
      yield* Queue.offer(this.queue, { ...submission, answer })
      return yield* Deferred.await(answer)
    })

  readonly submitAll = (submissions: ReadonlyArray<Submission<Command>>): Effect.Effect<ReadonlyArray<Outcome<Event, Rejection>>> =>
    Effect.gen(this, function* () {
      const waiting = submissions.map((submission) => ({ ...submission, answer: Deferred.unsafeMake<Applied<Event>, Rejection>(FiberId.none) }))
      yield* Queue.offerAll(this.queue, waiting)
      return yield* Effect.forEach(waiting, ({ answer }) => Effect.either(Deferred.await(answer)))
    })

  readonly onChange = (listener: (change: Change<State, Event>) => void): (() => void) => {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  readonly when = <A>(pick: (state: State) => A | undefined): Effect.Effect<A> =>
    Effect.async<A>((resume) => {
      const now = pick(this.durable)
      if (now !== undefined) return resume(Effect.succeed(now))
      const stop = this.onChange(({ state }) => {
        const found = pick(state)
        if (found === undefined) return
        stop()
        resume(Effect.succeed(found))
      })
      return Effect.sync(stop)
    })

  /** One turn: everything that waits, in as many appends as the byte bound makes of it. */
  readonly turn = Effect.gen(this, function* () {
    const waiting = [...(yield* Queue.takeBetween(this.queue, 1, commandsPerTurnMax))]
    for (let at = 0; at < waiting.length; ) {
      const round = yield* runSteps(this.decideSome(waiting, at))
      const outcomes = round.entries.length === 0 ? round.outcomes : yield* this.commit(round)
      outcomes.forEach((outcome, index) => {
        const { answer } = waiting[at + index] as Waiting<Command, Event, Rejection>
        Deferred.unsafeDone(answer, Either.isRight(outcome) ? Exit.succeed(outcome.right) : Exit.fail(outcome.left))
      })
      at += outcomes.length
    }
  })

  /** Makes a round durable and publishes it; on a disk that took nothing, the round never was, and everybody in it hears that. */
  private commit(round: Round<State, Event, Rejection>): Effect.Effect<ReadonlyArray<Outcome<Event, Rejection>>, WriterStopped> {
    const done = this.journal.append(this.stream, this.epoch, this.durableEnd, round.entries).pipe(
      Effect.map(() => {
        for (const { value } of round.entries) this.bytesSince += value.length
        this.publish(round.state, round.events)
        return round.outcomes
      })
    )
    return Effect.catchAll(done, (fault) => {
      if (fault._tag !== "NotWritten") return Effect.fail(stoppedBy(fault))
      for (const commandId of round.commandIds) this.answers.forget(commandId)
      const message = `Nothing was changed: the leader's disk does not take writes (${fault.cause.message}).`
      return Effect.as(
        Effect.logError(`${this.stream}: ${message}`),
        round.outcomes.map(() => Either.left(this.aggregate.unwritten(message)))
      )
    })
  }

  /** Decides from `at` on, each command on the state after the one before it, until the events fill an append. Nothing of it is visible yet. */
  private *decideSome(waiting: ReadonlyArray<Waiting<Command, Event, Rejection>>, at: number): Steps<Round<State, Event, Rejection>> {
    const stride = new Stride(eventsPerStep)
    let state = this.durable
    let bytes = 0
    const entries: Array<Entry> = []
    const all: Array<Event> = []
    const outcomes: Array<Outcome<Event, Rejection>> = []
    const commandIds: Array<string> = []
    for (let next = at; next < waiting.length && bytes < appendBytesMax; next++) {
      const { command, commandId, actor, cause } = waiting[next] as Waiting<Command, Event, Rejection>
      const repeated = this.answers.find(commandId)
      if (repeated !== undefined) {
        outcomes.push(repeated)
        continue
      }
      const decided = this.aggregate.decide(state, command)
      let own = 0
      const index = this.durableEnd + all.length
      for (const event of Either.isRight(decided) ? decided.right : []) {
        const value = utf8.encode(JSON.stringify({ _tag: event._tag, ...this.encode(event) }))
        own += value.length + commandId.length + actor.length + cause.length
        entries.push({ commandId, actor, cause, type: event._tag, value })
        all.push(event)
        state = this.aggregate.evolve(state, event)
        if (stride.takes()) yield
      }
      if (stride.takes()) yield
      const outcome = Either.map(decided, (events) => ({ index, events }))
      // Remembered before it is durable: a repetition behind it in this round must find it. When the append fails, nobody decides here any more.
      this.answers.remember(commandId, outcome, Either.isRight(decided) ? own : refusalBytes)
      bytes += own
      commandIds.push(commandId)
      outcomes.push(outcome)
    }
    return { state, entries, events: all, outcomes, commandIds }
  }

  private publish(state: State, events: ReadonlyArray<Event>): void {
    if (events.length === 0) return
    const change = { index: this.durableEnd, events, state }
    this.durable = state
    this.durableEnd += events.length
    // Those that listen now: one that begins meanwhile has seen this state already.
    const listeners = Array.from(this.listeners)
    for (const listener of listeners) listener(change)
  }

  /**
   * A snapshot when it is time for one, apart from the turns: states are immutable, so the one that is written cannot change meanwhile. The journal is let
   * go only up to the snapshot before it, so that the spare copy of the checkpoint is of use; one that could not be written (the disk was full) is no copy.
   */
  readonly snapshotIfDue = (): Effect.Effect<void> | undefined => {
    const { snapshotIntervalBytes = snapshotIntervalBytesDefault, snapshotIntervalEvents } = this.options
    if (this.snapshotting || (this.durableEnd - this.snapshotIndex < snapshotIntervalEvents && this.bytesSince < snapshotIntervalBytes)) return undefined
    this.snapshotting = true
    this.bytesSince = 0
    const before = this.savedIndex
    this.snapshotIndex = this.durableEnd
    const index = this.durableEnd
    const state = this.durable
    const answers = this.answers.applied()
    return Effect.suspend(() => this.journal.saveSnapshot(this.stream, { index, value: writeSnapshot(this.aggregate, state, answers) })).pipe(
      Effect.tap(() => {
        this.savedIndex = index
        return this.options.trimAfterSnapshot === true ? this.journal.trim(this.stream, before) : Effect.void
      }),
      Effect.catchTag("LogFault", (fault) => Effect.logWarning(`${this.stream}: no snapshot at ${index}, the next start reads further back: ${fault.message}`)),
      Effect.ensuring(
        Effect.sync(() => {
          this.snapshotting = false
        })
      )
    )
  }
}

/** A bug in deciding or folding ends the leadership too: nobody knows what the state would be. */
const stoppedByCause =
  (stream: string) =>
  (cause: Cause.Cause<WriterStopped>): WriterStopped =>
    Option.getOrElse(
      Cause.failureOption(cause),
      () => new WriterStopped({ stream, cause, message: `${stream}: the leader met a bug and stops: ${Cause.pretty(cause)}` })
    )

/**
 * Takes a stream under a new epoch, reads it (snapshot and rest), and decides on it until the scope closes. UnreadableEvent when it holds what this
 * version does not know.
 */
export const openWriter = <State, Command, Event extends Named, Rejection>(
  stream: string,
  aggregate: Aggregate<State, Command, Event, Rejection>,
  options: WriterOptions
): Effect.Effect<Writer<State, Command, Event, Rejection>, LogFault | UnreadableEvent, Journal | Scope.Scope> =>
  Effect.gen(function* () {
    const journal = yield* Journal
    const { damaged, epoch, start } = yield* journal.open(stream)
    const { state, answers, end, snapshotIndex } = yield* replay(journal, stream, aggregate, start)
    const queue = yield* Queue.bounded<Waiting<Command, Event, Rejection>>(options.queuedCommandsMax ?? 2 * commandsPerTurnMax)
    const fault = yield* Deferred.make<never, WriterStopped>()
    const writer = new StreamWriter(stream, epoch, start, aggregate, journal, options, queue, fault, answers, state, end, snapshotIndex)
    const turnAndSnapshot = Effect.gen(function* () {
      yield* writer.turn
      const due = writer.snapshotIfDue()
      if (due !== undefined) yield* Effect.forkIn(due, scope)
    })
    const scope = yield* Effect.scope
    yield* Effect.forkIn(
      Effect.catchAll(damaged, (found) => Deferred.fail(fault, damagedJournal(stream, found))),
      scope
    )
    yield* Effect.forever(turnAndSnapshot).pipe(
      Effect.catchAllCause((cause) => (Cause.isInterruptedOnly(cause) ? Effect.void : Deferred.fail(fault, stoppedByCause(stream)(cause)))),
      Effect.forkIn(scope)
    )
    return writer
  })
