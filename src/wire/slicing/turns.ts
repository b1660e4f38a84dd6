import { type Clock, Effect, Runtime } from "effect"
import { loopTurn, type Steps, sliceNs } from "../sliced.ts"

/** Called with the outcome of the steps; it must not throw. */
type Settled<A> = (outcome: { readonly value: A } | { readonly cause: unknown }) => void

/**
 * A request's claim to the one place for heavy work. The request keeps the place over all its steps and the waits between them, since it keeps its fields, until `leave`.
 * `isLarge`: it needs the place before its first step. `isExempt`: it needs none, ever: a request of another node may be part of the work that has the place.
 */
export class Ticket {
  has: boolean
  /** Its steps run; otherwise it waits for a journal or for another node. */
  isAtWork = false
  idleSeconds = 0
  constructor(
    readonly isLarge: boolean,
    readonly isExempt = false
  ) {
    this.has = isExempt
  }
}

interface Task {
  readonly steps: Steps<unknown>
  readonly settled: Settled<unknown>
  readonly ticket: Ticket
  made: number
  isOver: boolean
  isStepping: boolean
}

/** The outcome of one step; undefined: there are more. */
const next = (steps: Steps<unknown>): Parameters<Settled<unknown>>[0] | undefined => {
  try {
    const step = steps.next()
    return step.done === true ? { value: step.value } : undefined
  } catch (cause) {
    return { cause }
  }
}

/** Steps that are made at once: what has no more of them is answered without a turn. */
const stepsAtOnce = 8
/** Steps at once that take longer are enough for a turn of the loop: ten connections may each begin such a task in one. */
const longNs = 2_000_000n
/** Steps that a request may make without the place: what they make is half a megabyte at most, and a request of some thousand elements is over by then. */
const lightSteps = 16
/** How long a request keeps the place while its steps wait for a journal or for another node. */
const idleSecondsMax = 10

/**
 * The long work of all connections of a server, step by step: one step of each in turn, some milliseconds altogether, then the event loop goes round. However many large
 * requests are under way, others wait for one such slice at most.
 *
 * One request at a time has the place for heavy work: large requests, and small ones whose responses are large. The others wait, the oldest first, as frames, which are a tenth of what they
 * take once they are read. With four at a time ten Fetches of 250,000 partitions took 3.8 GB.
 */
export class Turns {
  private running: Array<Task> = []
  private readonly waiting: Array<Task> = []
  private holder: Ticket | undefined
  private isScheduled = false

  /** `left` is called when heavy work is over, before the next begins. */
  constructor(
    private readonly runtime: Runtime.Runtime<never>,
    private readonly clock: Clock.Clock,
    private readonly left: () => void = () => {}
  ) {}

  /** Begins `steps` and calls `settled` when they are over, perhaps before it returns; returns a function that cancels them. The ticket keeps the place: `leave` releases it. */
  run<A>(steps: Steps<A>, ticket: Ticket, settled: Settled<A>): () => void {
    const task: Task = { steps, settled: settled as Settled<unknown>, ticket, made: 0, isOver: false, isStepping: false }
    const cancel = () => this.cancel(task)
    if (!this.mayGoOn(task)) {
      this.waiting.push(task)
      return cancel
    }
    ticket.isAtWork = true
    // A task that begins while others run takes its turn after them.
    if (!this.isScheduled && this.beginsAtOnce(task)) return cancel
    this.running.push(task)
    this.schedule()
    return cancel
  }
  /** Releases the place: the request is answered, cancelled, or waits for long without its fields. */
  leave(ticket: Ticket): void {
    if (this.holder !== ticket) return
    this.holder = undefined
    ticket.has = false
    this.left()
    const next = this.waiting.shift()
    if (next === undefined) return
    this.take(next.ticket)
    next.ticket.isAtWork = true
    this.running.push(next)
    this.schedule()
  }
  /** Called once a second: a request that waits for a journal or for another node loses the place after a while. */
  turn(): void {
    const { holder } = this
    if (holder === undefined) return
    holder.idleSeconds = holder.isAtWork ? 0 : holder.idleSeconds + 1
    if (holder.idleSeconds >= idleSecondsMax) this.leave(holder)
  }

  /** Tasks that run or wait. */
  get count(): number {
    return this.running.length + this.waiting.length
  }

  private take(ticket: Ticket): void {
    ticket.has = true
    ticket.idleSeconds = 0
    this.holder = ticket
  }
  /** Whether the next step may be made, now that the place is taken for it if it needs one. */
  private mayGoOn({ made, ticket }: Task): boolean {
    if (ticket.has || (!ticket.isLarge && made < lightSteps)) return true
    if (this.holder !== undefined) return false
    this.take(ticket)
    return true
  }

  /** Makes the first steps of a task; returns whether it is over. Where they took long, what begins in the same turn of the loop waits for the next one. */
  private beginsAtOnce(task: Task): boolean {
    const end = this.clock.unsafeCurrentTimeNanos() + longNs
    let isOver = false
    for (let made = 0; made < stepsAtOnce && !isOver; made++) isOver = this.step(task)
    if (this.clock.unsafeCurrentTimeNanos() >= end) this.schedule()
    return isOver
  }

  /** Runs one step; returns whether it was the last. */
  private step(task: Task): boolean {
    if (task.isOver) return true
    task.made++
    task.isStepping = true
    const outcome = next(task.steps)
    task.isStepping = false
    if (outcome === undefined) return false
    task.isOver = true
    task.ticket.isAtWork = false
    task.settled(outcome)
    return true
  }

  private cancel(task: Task): void {
    if (task.isOver) return
    task.isOver = true
    task.ticket.isAtWork = false
    const at = this.waiting.indexOf(task)
    if (at >= 0) this.waiting.splice(at, 1)
    // The `finally` of the steps releases what they hold; a step that cancels itself reaches it by itself.
    if (!task.isStepping) task.steps.return(undefined)
  }

  /** Monotonic. */
  nowNs(): bigint {
    return this.clock.unsafeCurrentTimeNanos()
  }
  /** Calls `then` after a turn of the loop. */
  afterLoopTurn(then: () => void): void {
    Runtime.runFork(this.runtime)(Effect.zipRight(loopTurn, Effect.sync(then)))
  }
  private schedule(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    this.afterLoopTurn(() => this.slice())
  }

  private slice(): void {
    const end = this.clock.unsafeCurrentTimeNanos() + sliceNs
    while (this.running.length > 0) {
      const round = this.running
      this.running = []
      for (let at = 0; at < round.length; at++) {
        const task = round[at] as Task
        if (!this.mayGoOn(task)) this.waiting.push(task)
        else if (!this.step(task)) this.running.push(task)
        if (this.clock.unsafeCurrentTimeNanos() < end) continue
        // Those that had no step come first in the next slice.
        this.running = [...round.slice(at + 1), ...this.running]
        this.isScheduled = false
        if (this.running.length > 0) this.schedule()
        return
      }
    }
    this.isScheduled = false
  }
}
