import type { Offset } from "../../../../domain/kernel/id.ts"
import type { LogFault } from "../../../ports/log-store.ts"

/** Called once: with undefined when the offset is passed or the leadership has ended, or with the fault of the log. */
export type Committed = (fault: LogFault | undefined) => void

interface Waiter {
  readonly offset: Offset
  readonly done: Committed
  isOver: boolean
}

/**
 * The requests that wait for an offset of a partition, under one leadership: acks=all for the high watermark,
 * DeleteRecords for the low one. A waiter is an entry in a list by offset, since a fiber costs more than the rest of its
 * request.
 */
export class CommitWaiters {
  /** By rising offsets. Offsets come in this order, but for repeated requests. */
  private waiting: Array<Waiter> = []

  get size(): number {
    return this.waiting.length
  }

  /** Calls `done` when the high watermark, or the low one, is above `offset`. Returns how to cancel that. */
  add(offset: Offset, done: Committed): () => void {
    const waiter: Waiter = { offset, done, isOver: false }
    let at = this.waiting.length
    while (at > 0 && (this.waiting[at - 1] as Waiter).offset > offset) at--
    this.waiting.splice(at, 0, waiter)
    return () => {
      if (waiter.isOver) return
      waiter.isOver = true
      const index = this.waiting.indexOf(waiter)
      if (index >= 0) this.waiting.splice(index, 1)
    }
  }

  /** Everything below the offset is committed, or deleted. */
  reached(end: Offset): void {
    let count = 0
    while (count < this.waiting.length && (this.waiting[count] as Waiter).offset < end) count++
    if (count > 0) this.complete(this.waiting.splice(0, count), undefined)
  }

  /** Completes all: the leadership has ended, or the log has failed. */
  end(fault?: LogFault): void {
    this.complete(this.waiting.splice(0), fault)
  }

  private complete(waiters: ReadonlyArray<Waiter>, fault: LogFault | undefined): void {
    for (const waiter of waiters) {
      if (waiter.isOver) continue
      waiter.isOver = true
      waiter.done(fault)
    }
  }
}
