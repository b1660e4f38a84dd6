import { Effect, Stream } from "effect"
import type { Calls } from "./calls.ts"

/** Events that the caller has not taken, at most: the oldest are dropped. */
const unreadMax = 1024

/** A stream of events as an iterator, from its construction on until `close` or `return`. */
export class EventIterator<A> implements AsyncIterableIterator<A> {
  private readonly unread: Array<A> = []
  private readonly waiting: Array<(result: IteratorResult<A>) => void> = []
  private isDone = false
  private readonly stop: () => void

  constructor(events: Stream.Stream<A>, calls: Calls) {
    this.stop = calls.background(
      Stream.runForEach(events, (event) => Effect.sync(() => this.push(event))),
      () => this.end()
    )
  }

  private push(event: A): void {
    const next = this.waiting.shift()
    if (next !== undefined) return next({ done: false, value: event })
    this.unread.push(event)
    if (this.unread.length > unreadMax) this.unread.shift()
  }
  private end(): void {
    this.isDone = true
    for (const next of this.waiting.splice(0)) next({ done: true, value: undefined })
  }

  next(): Promise<IteratorResult<A>> {
    const event = this.unread.shift()
    if (event !== undefined) return Promise.resolve({ done: false, value: event })
    if (this.isDone) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve) => this.waiting.push(resolve))
  }
  return(): Promise<IteratorResult<A>> {
    this.stop()
    this.unread.length = 0
    this.end()
    return Promise.resolve({ done: true, value: undefined })
  }
  [Symbol.asyncIterator](): this {
    return this
  }
}
