import { type Clock, Effect, Runtime } from "effect"
import { loopTurn, type Steps, sliceNs } from "./sliced.ts"

/** Called with what became of the steps; it must not throw. */
type Settled<A> = (outcome: { readonly value: A } | { readonly cause: unknown }) => void

interface Task {
  readonly steps: Steps<unknown>
  readonly settled: Settled<unknown>
  readonly isLarge: boolean
  isOver: boolean
  isStepping: boolean
}

/** What became of one step; undefined: there are more. */
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
/**
 * Large requests that are worked on at a time: the others wait as frames, a tenth of what they take once they are read. Nothing is lost by that, since no step waits for anything. With
 * four at a time ten Fetches of 250,000 partitions took 3.8 GB.
 */
const largeAtATime = 1

/**
 * The long work of all connections of a server, step by step: one step of each in turn, some milliseconds altogether, then the event loop goes round. However many large
 * requests are under way, others wait for one such slice at most.
 */
export class Turns {
  private running: Array<Task> = []
  private readonly waiting: Array<Task> = []
  private large = 0
  private isScheduled = false

  constructor(
    private readonly runtime: Runtime.Runtime<never>,
    private readonly clock: Clock.Clock
  ) {}

  /** Begins `steps` and calls `settled` when they are over, perhaps before it returns; answers how to call them off. `isLarge`: it holds a large request in memory. */
  run<A>(steps: Steps<A>, isLarge: boolean, settled: Settled<A>): () => void {
    const task: Task = { steps, settled: settled as Settled<unknown>, isLarge, isOver: false, isStepping: false }
    const cancel = () => this.cancel(task)
    if (isLarge && this.large >= largeAtATime) {
      this.waiting.push(task)
      return cancel
    }
    if (isLarge) this.large++
    // Who begins while others are at work takes its turn behind them.
    if (!this.isScheduled && this.beginsAtOnce(task)) return cancel
    this.running.push(task)
    this.schedule()
    return cancel
  }

  /** Tasks that are under way or wait. */
  get count(): number {
    return this.running.length + this.waiting.length
  }

  /** Makes the first steps of a task; answers whether it is over. Where they took long, what begins in the same turn of the loop waits for the next one. */
  private beginsAtOnce(task: Task): boolean {
    const end = this.clock.unsafeCurrentTimeNanos() + longNs
    let isOver = false
    for (let made = 0; made < stepsAtOnce && !isOver; made++) isOver = this.step(task)
    if (this.clock.unsafeCurrentTimeNanos() >= end) this.schedule()
    return isOver
  }

  /** One step; answers whether it was the last. */
  private step(task: Task): boolean {
    if (task.isOver) return true
    task.isStepping = true
    const outcome = next(task.steps)
    task.isStepping = false
    if (outcome === undefined) return false
    this.over(task)
    task.settled(outcome)
    return true
  }

  private over(task: Task): void {
    task.isOver = true
    if (!task.isLarge) return
    this.large--
    const first = this.waiting.shift()
    if (first === undefined) return
    this.large++
    this.running.push(first)
    this.schedule()
  }

  private cancel(task: Task): void {
    if (task.isOver) return
    const at = this.waiting.indexOf(task)
    if (at >= 0) this.waiting.splice(at, 1)
    else this.over(task)
    task.isOver = true
    // What the steps hold is given back by their `finally`; a step that calls itself off gets there by itself.
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
        if (!this.step(task)) this.running.push(task)
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
