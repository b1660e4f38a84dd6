import { Cause, type Context, Deferred, Effect, Either, Exit, FiberId, LogLevel, Metric, Option, Queue, type Scope } from "effect"
import { bug } from "../../domain/kernel/bug.ts"
import { encodeEvents } from "../../domain/kernel/decode-events.ts"
import type { Epoch } from "../../domain/kernel/id.ts"
import { runSteps } from "../ports/event-loop.ts"
import { type Candidate, Journal, type Taken } from "../ports/journal.ts"
import type { LogFault } from "../ports/log-store.ts"
import type { Aggregate, Tagged } from "./aggregate.ts"
import type { Answers, Applied, Outcome } from "./answers.ts"
import { lostBy, stoppedBy, type UnreadableEvent, WriterStopped } from "./fault.ts"
import { replay } from "./replay.ts"
import { decideRound, type Round, type Submission } from "./round.ts"
import { type SnapshotId, type SnapshotOptions, SnapshotWriting } from "./snapshot-writing.ts"
import type { Standby } from "./standby.ts"
import type { StreamFold } from "./stream-fold.ts"
import { writerMetrics } from "./writer-metrics.ts"

export type { Applied } from "./answers.ts"
export type { Submission } from "./round.ts"

/** Durable events, and the state after the last of them. */
export interface Change<State, Event> {
  /** Index of the first of `events`. */
  readonly index: number
  readonly events: ReadonlyArray<Event>
  readonly state: State
}

interface WriterOptions extends SnapshotOptions {
  /** Commands that wait for their turn; who submits more waits for room. */
  readonly queuedCommandsMax?: number
}

/**
 * The one place that decides on a stream. Commands are decided one after the other, each on the state that the command before it left. Their events go to the journal together, for one sync.
 * Then the state is published, and every command gets its answer. So no answer, a rejection included, comes from a state that a crash could undo.
 */
export interface Writer<State, Command, Event, Rejection> {
  readonly stream: string
  readonly epoch: Epoch
  /** The fold of all durable events. */
  readonly state: () => State
  /** The index that the next event will get. */
  readonly end: () => number
  /** Index of the first entry that the journal has. It rises when the journal is trimmed. */
  readonly start: () => number
  /** The newest snapshot that is known; undefined where there may be none. */
  readonly snapshot: () => SnapshotId | undefined
  /** Notes the index of the newest snapshot, as it was read from the journal. */
  readonly noteSnapshot: (index: number) => void
  /** Decides, journals, answers. Never answers once the writer has stopped: the result of the command is unknown then. */
  readonly submit: (submission: Submission<Command>) => Effect.Effect<Applied<Event>, Rejection>
  /** Decides many commands in order. Each gets its answer; a rejection does not stop the commands behind it. */
  readonly submitAll: (submissions: ReadonlyArray<Submission<Command>>) => Effect.Effect<ReadonlyArray<Outcome<Event, Rejection>>>
  /**
   * Calls `listener` after each durable change, before the commands of the change are answered. Listeners are called in the order in which they were added. A listener must not throw or wait.
   * Returns how to stop that.
   */
  readonly onChange: (listener: (change: Change<State, Event>) => void) => () => void
  /** Waits until `pick` finds a value in the state; looks at once, and then after each change. */
  readonly when: <A>(pick: (state: State) => A | undefined) => Effect.Effect<A>
  /** Answers every command that waits, and every later one, with `rejection`: the stream was given up, and the results of commands in an append under way are unknown. */
  readonly abandon: (rejection: Rejection) => Effect.Effect<void>
  /** As `isHeld` of the taken stream: looked at before each answer that says what the state is. */
  readonly isHeld: () => boolean
  /** Fails when the writer cannot continue: the role that decides by it must stop. */
  readonly stopped: Effect.Effect<never, WriterStopped>
}

/** What a writer is made from: a stream that this process holds, and the fold of all its entries. */
interface WriterStart<State, Command, Event extends Tagged, Rejection> {
  readonly aggregate: Aggregate<State, Command, Event, Rejection>
  readonly taken: Taken
  readonly fold: StreamFold<State, Event, Rejection>
  readonly options: WriterOptions
}

interface Waiting<Command, Event, Rejection> extends Submission<Command> {
  readonly answer: Deferred.Deferred<Applied<Event>, Rejection>
}

/** Commands that one turn takes from the queue. */
const commandsPerTurnMax = 1024

class StreamWriter<State, Command, Event extends Tagged, Rejection> implements Writer<State, Command, Event, Rejection> {
  readonly stream: string
  readonly epoch: Epoch
  readonly isHeld: () => boolean
  private readonly aggregate: Aggregate<State, Command, Event, Rejection>
  private readonly answers: Answers<Event, Rejection>
  private readonly snapshots: SnapshotWriting<State, Event, Rejection>
  private readonly listeners = new Set<(change: Change<State, Event>) => void>()
  private readonly encode: (event: Event) => object
  private readonly metrics: ReturnType<typeof writerMetrics>
  private durable: State
  private durableEnd: number
  /** The commands of the turn under way. */
  private submissions: ReadonlyArray<Waiting<Command, Event, Rejection>> = []
  private abandoned: Rejection | undefined

  constructor(
    { aggregate, fold, options, taken }: WriterStart<State, Command, Event, Rejection>,
    private readonly journal: Context.Tag.Service<typeof Journal>,
    private readonly queue: Queue.Queue<Waiting<Command, Event, Rejection>>,
    private readonly fault: Deferred.Deferred<never, WriterStopped>
  ) {
    if (fold.end !== taken.end) bug(`${fold.stream}: a writer begins with the fold of ${fold.end} entries, and the journal has ${taken.end}`)
    this.stream = fold.stream
    this.metrics = writerMetrics(fold.stream)
    this.epoch = taken.epoch
    this.isHeld = taken.isHeld
    this.aggregate = aggregate
    this.answers = fold.answers
    this.durable = fold.state
    this.durableEnd = fold.end
    this.encode = encodeEvents(aggregate.event)
    this.snapshots = new SnapshotWriting(journal, { name: fold.stream, restorable: aggregate, answers: fold.answers }, options, fold.snapshotIndex, taken.start)
  }

  readonly state = (): State => this.durable
  readonly end = (): number => this.durableEnd
  readonly start = (): number => this.snapshots.start
  readonly snapshot = (): SnapshotId | undefined => {
    const { newest, start } = this.snapshots
    // A standby may have folded what was trimmed meanwhile: then there is a snapshot that it has not read.
    return newest > 0 || start > 0 ? { endOffset: Math.max(newest, start), epoch: this.epoch } : undefined
  }
  readonly noteSnapshot = (index: number): void => {
    this.snapshots.newest = Math.max(this.snapshots.newest, index)
  }

  get stopped(): Effect.Effect<never, WriterStopped> {
    return Deferred.await(this.fault)
  }

  readonly submit = (submission: Submission<Command>): Effect.Effect<Applied<Event>, Rejection> =>
    Effect.gen(this, function* () {
      if (this.abandoned !== undefined) return yield* Effect.fail(this.abandoned)
      const answer = yield* Deferred.make<Applied<Event>, Rejection>()
      yield* Queue.offer(this.queue, { ...submission, answer })
      return yield* Deferred.await(answer)
    })

  readonly submitAll = (submissions: ReadonlyArray<Submission<Command>>): Effect.Effect<ReadonlyArray<Outcome<Event, Rejection>>> =>
    Effect.gen(this, function* () {
      const { abandoned } = this
      if (abandoned !== undefined) return submissions.map(() => Either.left(abandoned))
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

  /** One turn: all commands that wait, in as many appends as the bound of bytes makes of them. */
  readonly turn = Effect.gen(this, function* () {
    const submissions = [...(yield* Queue.takeBetween(this.queue, 1, commandsPerTurnMax))]
    this.submissions = submissions
    for (let at = 0; at < submissions.length; ) {
      const start = { state: this.durable, index: this.durableEnd, submissions, at }
      const round = yield* runSteps(decideRound(this.aggregate, this.encode, this.answers, start))
      const outcomes = round.entries.length === 0 ? round.outcomes : yield* this.commit(round)
      outcomes.forEach((outcome, index) => {
        const { answer } = submissions[at + index] as Waiting<Command, Event, Rejection>
        Deferred.unsafeDone(answer, Either.isRight(outcome) ? Exit.succeed(outcome.right) : Exit.fail(outcome.left))
      })
      at += outcomes.length
    }
    this.submissions = []
  })

  readonly abandon = (rejection: Rejection): Effect.Effect<void> =>
    Effect.gen(this, function* () {
      this.abandoned = rejection
      // Commands that waited for room come into the queue as others leave it.
      let waiting = [...this.submissions, ...(yield* Queue.takeAll(this.queue))]
      for (; waiting.length > 0; waiting = [...(yield* Queue.takeAll(this.queue))])
        for (const { answer } of waiting) Deferred.unsafeDone(answer, Exit.fail(rejection))
    })

  /** Returns the effect that writes a snapshot; undefined where none is due. */
  readonly snapshotIfDue = (): Effect.Effect<void> | undefined => this.snapshots.due(this.durable, this.durableEnd)

  /** Makes a round durable and publishes it. Where the disk took nothing, every command of the round is answered with that. */
  private commit(round: Round<State, Event, Rejection>): Effect.Effect<ReadonlyArray<Outcome<Event, Rejection>>, WriterStopped> {
    const done = this.journal.append(this.stream, this.epoch, round.index, round.entries).pipe(
      Effect.map(() => {
        for (const { value } of round.entries) this.snapshots.add(value.length)
        this.publish(round)
        return round.outcomes
      }),
      Effect.zipLeft(Metric.incrementBy(this.metrics.events, round.entries.length))
    )
    return Effect.catchAll(done, (fault) => {
      if (fault._tag !== "NotWritten") return Effect.fail(stoppedBy(fault))
      for (const commandId of round.commandIds) this.answers.forget(commandId)
      // A partition without enough in-sync replicas refuses every turn: the submitter says so, at a bounded rate.
      const isOfDisk = fault.cause.reason !== "offline"
      const message = isOfDisk
        ? `Nothing was changed: the leader's disk does not take writes (${fault.cause.message}).`
        : `Nothing was changed: ${this.stream} takes no entry (${fault.cause.message}).`
      return Effect.as(
        Effect.zipRight(Metric.increment(this.metrics.refused), Effect.logWithLevel(isOfDisk ? LogLevel.Error : LogLevel.Debug, `${this.stream}: ${message}`)),
        round.outcomes.map(() => Either.left(this.aggregate.unwritten(message)))
      )
    })
  }

  private publish({ events, index, state }: Round<State, Event, Rejection>): void {
    // The journal compared the same index when it appended: two rounds at once would each publish half of the truth.
    if (index !== this.durableEnd) bug(`${this.stream}: events from ${index} on are published, and the state ends at ${this.durableEnd}`)
    this.durable = state
    this.durableEnd += events.length
    // Only the listeners of now: a listener that is added meanwhile has seen this state already.
    const change = { index, events, state }
    for (const listener of Array.from(this.listeners)) listener(change)
  }
}

/** A bug in deciding or folding ends the writer: the state would not be reliable. */
const stoppedByCause =
  (stream: string) =>
  (cause: Cause.Cause<WriterStopped>): WriterStopped =>
    Option.getOrElse(
      Cause.failureOption(cause),
      () => new WriterStopped({ stream, reason: "bug", cause, message: `${stream}: the writer stops because of a bug: ${Cause.pretty(cause)}` })
    )

/** Makes a writer of a stream that this process holds and has folded to its end, for example as a standby. It decides until the scope closes. */
export const makeWriter = <State, Command, Event extends Tagged, Rejection>(
  start: WriterStart<State, Command, Event, Rejection>
): Effect.Effect<Writer<State, Command, Event, Rejection>, never, Journal | Scope.Scope> =>
  Effect.gen(function* () {
    const { fold, options, taken } = start
    const queue = yield* Queue.bounded<Waiting<Command, Event, Rejection>>(options.queuedCommandsMax ?? 2 * commandsPerTurnMax)
    const fault = yield* Deferred.make<never, WriterStopped>()
    const writer = new StreamWriter(start, yield* Journal, queue, fault)
    const scope = yield* Effect.scope
    const turnAndSnapshot = Effect.gen(function* () {
      yield* writer.turn
      const due = writer.snapshotIfDue()
      if (due !== undefined) yield* Effect.forkIn(due, scope)
    })
    yield* Effect.forkScoped(Effect.catchAll(taken.lost, (lost) => Deferred.fail(fault, lostBy(fold.stream, lost))))
    yield* Effect.forever(turnAndSnapshot).pipe(
      Effect.catchAllCause((cause) => (Cause.isInterruptedOnly(cause) ? Effect.void : Deferred.fail(fault, stoppedByCause(fold.stream)(cause)))),
      Effect.forkScoped
    )
    return writer
  })

/** How long a process that has read a successor's entries may take to learn of that successor, ms. */
const lostWithinMs = 30_000

interface Candidacy<State, Event extends Tagged, Rejection> extends WriterOptions {
  readonly candidate: Candidate
  /** The fold of a process that stood by; default: the stream is replayed when it is won. */
  readonly standby?: Standby<State, Event, Rejection> | undefined
}

/**
 * Waits until the candidate leads the stream, replays it or takes over from its standby, and makes its writer.
 * UnreadableEvent where the stream holds what this version does not know; WriterStopped where the standby has read what a
 * successor appended.
 */
export const openWriter = <State, Command, Event extends Tagged, Rejection>(
  stream: string,
  aggregate: Aggregate<State, Command, Event, Rejection>,
  { candidate, standby, ...options }: Candidacy<State, Event, Rejection>
): Effect.Effect<Writer<State, Command, Event, Rejection>, LogFault | UnreadableEvent | WriterStopped, Journal | Scope.Scope> =>
  Effect.gen(function* () {
    const journal = yield* Journal
    const campaign = journal.campaign(stream, candidate)
    const taken = yield* standby === undefined ? campaign : Effect.raceFirst(campaign, standby.failed)
    const fold = yield* standby === undefined ? replay<State, Event, Rejection>(journal, stream, aggregate, taken) : standby.handOver(taken)
    // A process that was stopped after it had won leads no more, and has not learned that yet.
    if (fold.end > taken.end)
      yield* Effect.timeoutOption(
        Effect.mapError(taken.lost, (lost) => lostBy(stream, lost)),
        lostWithinMs
      )
    return yield* makeWriter({ aggregate, taken, fold, options })
  })
