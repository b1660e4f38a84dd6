import { type Clock, Effect, Fiber, Runtime, type Scope } from "effect"

/** A callback at a point in time, unless it is cancelled before. */
interface Deadline {
  readonly cancel: () => void
}

interface Entry extends Deadline {
  readonly at: number
  expire: (() => void) | undefined
}

/** Cancelled entries that may stay in the heap before they are removed, however few others there are. */
const cancelledMin = 1024

/**
 * Calls back at points in time, all with one sleeping fiber. A request that waits has a deadline that it hardly ever meets; a timer and a fiber of its own
 * would cost more than the rest of the request.
 */
export class Deadlines {
  /** A heap: the earliest is first. */
  private heap: Array<Entry> = []
  private cancelled = 0
  private sleeper: Fiber.RuntimeFiber<void> | undefined
  private sleepsUntil = Number.POSITIVE_INFINITY

  constructor(
    private readonly clock: Clock.Clock,
    private readonly fork: (effect: Effect.Effect<void>) => Fiber.RuntimeFiber<void>
  ) {}

  /** Calls `expire` once, about `ms` from now (at most 2^31 - 1 ms). It must not throw. */
  after(ms: number, expire: () => void): Deadline {
    const entry: Entry = { at: this.now() + Math.min(Math.max(0, ms), 2 ** 31 - 1), expire, cancel: () => this.cancel(entry) }
    this.push(entry)
    if (entry.at < this.sleepsUntil) this.sleepUntil(entry.at)
    return entry
  }

  /** The number of pending deadlines. */
  get size(): number {
    return this.heap.length - this.cancelled
  }

  /** The number of entries in memory, cancelled ones included. */
  get heldCount(): number {
    return this.heap.length
  }

  stop(): Effect.Effect<void> {
    return Effect.suspend(() => (this.sleeper === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(this.sleeper))))
  }

  /** Monotonic: a wall clock that is set back would extend every pending wait by as much. */
  private now(): number {
    return Number(this.clock.unsafeCurrentTimeNanos() / 1_000_000n)
  }

  private cancel(entry: Entry): void {
    if (entry.expire === undefined) return
    entry.expire = undefined
    this.cancelled++
    if (this.cancelled < cancelledMin || this.cancelled * 2 < this.heap.length) return
    const rest = this.heap.filter(({ expire }) => expire !== undefined)
    this.heap = []
    this.cancelled = 0
    for (const each of rest) this.push(each)
  }

  private sleepUntil(at: number): void {
    this.sleeper?.unsafeInterruptAsFork(this.sleeper.id())
    this.sleepsUntil = at
    const sleep = Effect.sleep(`${Math.max(0, at - this.now())} millis`)
    this.sleeper = this.fork(Effect.interruptible(Effect.flatMap(sleep, () => Effect.sync(() => this.wake()))))
  }

  private wake(): void {
    this.sleeper = undefined
    this.sleepsUntil = Number.POSITIVE_INFINITY
    const now = this.now()
    for (let first = this.heap[0]; first !== undefined && (first.at <= now || first.expire === undefined); first = this.heap[0]) {
      this.pop()
      const { expire } = first
      if (expire === undefined) this.cancelled--
      else {
        first.expire = undefined
        expire()
      }
    }
    const next = this.heap[0]
    if (next !== undefined && next.at < this.sleepsUntil) this.sleepUntil(next.at)
  }

  private push(entry: Entry): void {
    const { heap } = this
    let at = heap.push(entry) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] as Entry
      if (above.at <= entry.at) break
      heap[at] = above
      heap[parent] = entry
      at = parent
    }
  }

  private pop(): void {
    const { heap } = this
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      const right = heap[child + 1]
      if (right !== undefined && right.at < (heap[child] as Entry).at) child++
      const below = heap[child] as Entry
      if (below.at >= last.at) break
      heap[at] = below
      at = child
    }
    heap[at] = last
  }
}

/** Makes deadlines by the clock of the calling fiber; none expires after the scope closes. */
export const makeDeadlines: Effect.Effect<Deadlines, never, Scope.Scope> = Effect.gen(function* () {
  const runtime = yield* Effect.runtime<never>()
  const deadlines = new Deadlines(yield* Effect.clock, (effect) => Runtime.runFork(runtime)(effect))
  yield* Effect.addFinalizer(() => deadlines.stop())
  return deadlines
})
