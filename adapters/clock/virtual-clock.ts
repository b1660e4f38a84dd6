import { Clock, Duration, Effect, Exit, type Fiber, FiberId, Layer } from "effect"
import { keepInterruption } from "../../src/ports/kept-interruption.ts"
import { Timers } from "./timers.ts"
import { VirtualScheduler } from "./virtual-scheduler.ts"

/** An effect that neither ends nor waits for a timer: nothing will ever wake it. */
export class Stuck extends Error {
  readonly _tag = "Stuck"
}

/** Waits for one turn of the platform's event loop, in which every promise that can continue continues. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/**
 * A clock for tests and simulation: its time does not pass while any fiber can run, and then jumps to the next timer.
 * Effect.sleep, timeouts and schedules follow it for every fiber that runs under `layer`, or within `run`. The same
 * program has the same order of events. Work outside of fibers and promises (files, real sockets) is not waited for.
 */
export class VirtualClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  private readonly timers = new Timers()
  private readonly scheduler = new VirtualScheduler()
  private set = 0
  readonly layer: Layer.Layer<never>

  /** `nowMs`: the time at the start. */
  constructor(private nowMs = 1_750_000_000_000) {
    this.layer = Layer.merge(Layer.setClock<Clock.Clock>(this), Layer.setScheduler(this.scheduler))
  }

  unsafeCurrentTimeMillis(): number {
    return Math.floor(this.nowMs)
  }
  unsafeCurrentTimeNanos(): bigint {
    return BigInt(Math.round(this.nowMs * 1000)) * 1000n
  }
  readonly currentTimeMillis: Effect.Effect<number> = Effect.sync(() => this.unsafeCurrentTimeMillis())
  readonly currentTimeNanos: Effect.Effect<bigint> = Effect.sync(() => this.unsafeCurrentTimeNanos())
  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      const ms = Duration.toMillis(duration)
      if (ms === Number.POSITIVE_INFINITY) return
      this.set++
      return Effect.sync(this.timers.set(this.nowMs + ms, () => resume(Effect.void)))
    })
  }

  /** Runs everything that can run without time passing. */
  async settle(): Promise<void> {
    for (let before = -1; before !== this.activity; ) {
      before = this.activity
      await turn()
    }
  }

  /** Lets `ms` milliseconds pass, timer by timer. */
  async advance(ms: number): Promise<void> {
    const end = this.nowMs + ms
    await this.settle()
    while (this.timers.next !== undefined && this.timers.next <= end) await this.step(this.timers.next)
    this.nowMs = end
    await this.settle()
  }

  /**
   * Lets time pass until `done` returns true. Throws Stuck where it never will: no timer is left, or `limitMs` have
   * passed.
   */
  async until(done: () => boolean, limitMs = 86_400_000): Promise<void> {
    const end = this.nowMs + limitMs
    await this.settle()
    while (!done()) {
      const next = this.timers.next
      if (next === undefined) throw new Stuck(`no timer is left, at ${this.nowMs} ms`)
      if (next > end) throw new Stuck(`still not done after ${limitMs} ms of virtual time`)
      await this.step(next)
    }
  }

  /** Runs an effect under this clock until it ends, and returns its result. Throws Stuck as `until` does. */
  async run<A, E>(effect: Effect.Effect<A, E>, limitMs?: number): Promise<A> {
    const fiber = this.fork(effect)
    let exit: Exit.Exit<A, E> | undefined
    fiber.addObserver((end) => {
      exit = end
    })
    await this.until(() => exit !== undefined, limitMs).catch((stuck) => {
      fiber.unsafeInterruptAsFork(FiberId.none)
      throw stuck
    })
    return Exit.getOrElse(exit as Exit.Exit<A, E>, (cause) => Effect.runSync(Effect.failCause(cause)))
  }
  /** Starts an effect under this clock; `advance` and `until` continue it. */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    return Effect.runFork(Effect.withClock(Effect.zipRight(keepInterruption, effect), this), { scheduler: this.scheduler })
  }

  private get activity(): number {
    return this.scheduler.activity + this.set
  }
  /** Jumps to a time and runs the timers that are due, in the order in which they were set. */
  private async step(at: number): Promise<void> {
    this.nowMs = Math.max(this.nowMs, at)
    for (let task = this.timers.takeDue(this.nowMs); task !== undefined; task = this.timers.takeDue(this.nowMs)) task()
    await this.settle()
  }
}
