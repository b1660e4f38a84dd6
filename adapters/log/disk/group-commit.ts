import { Effect } from "effect"
import type { LogFault } from "../../../src/ports/log-store.ts"

/** Called once: with undefined when the records are durable, or with the fault that prevents it. Must not throw. */
export type Synced = (fault: LogFault | undefined) => void

interface Waiter {
  synced: Synced | undefined
}

/**
 * Runs one sync of a log at a time, shared by all callers that wait: a caller that comes while one runs waits for the next, since the one that runs may not cover what
 * was appended after its start. A round belongs to no caller: when one cancels its wait, the others still get their answer.
 *
 * It has no fiber: with acks=all each request waits here, and the fibers of three stacked waits cost more than the sync itself (docs/decisions/0046).
 */
export class GroupCommit {
  private waiting: Array<Waiter> = []
  private isRunning = false
  private isAsked = false
  private idleListeners: Array<() => void> = []

  constructor(
    /** Makes durable what is there when it starts, and calls back once. */
    private readonly round: (synced: Synced) => void
  ) {}

  /** Calls `synced` after the next round. Returns how to cancel the wait. */
  join(synced: Synced): () => void {
    const waiter: Waiter = { synced }
    this.waiting.push(waiter)
    this.start()
    return () => {
      waiter.synced = undefined
    }
  }

  readonly wait: Effect.Effect<void, LogFault> = Effect.async((resume) => {
    const cancel = this.join((fault) => resume(fault === undefined ? Effect.void : Effect.fail(fault)))
    return Effect.sync(cancel)
  })

  /** A round runs, or one is asked for. */
  get isBusy(): boolean {
    return this.isRunning
  }

  /** Asks for a round without waiting for it. */
  start(): void {
    this.isAsked = true
    if (this.isRunning) return
    this.isRunning = true
    this.beginLater()
  }

  /** Returns when no round runs and no caller waits for one. */
  readonly idle: Effect.Effect<void> = Effect.async((resume) => {
    if (this.isRunning) this.idleListeners.push(() => resume(Effect.void))
    else resume(Effect.void)
  })

  /** All callers that append in this turn of the event loop join the first round. */
  private beginLater(): void {
    queueMicrotask(this.begin)
  }

  private readonly begin = (): void => {
    const released = this.waiting
    this.waiting = []
    this.isAsked = false
    this.round((fault) => {
      for (const { synced } of released) synced?.(fault)
      if (this.isAsked) return this.beginLater()
      this.isRunning = false
      const listeners = this.idleListeners
      this.idleListeners = []
      for (const listener of listeners) listener()
    })
  }
}
