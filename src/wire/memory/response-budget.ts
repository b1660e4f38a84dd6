import type { MemoryBudget } from "./memory-budget.ts"

/** The share that is reserved for connections that have read all their responses. */
const reservedShare = 1 / 4
/** Bytes of it that one response may have; a first batch may be larger. */
const reservedAnswerBytes = 65_536

/** Free bytes for the responses to one connection. */
export interface ResponseCapacity {
  /** Bytes that a response may have; 0: none. */
  readonly bytes: () => number
  /** Calls `wake` when bytes are free again; returns a function that stops that. */
  readonly whenFree: (wake: () => void) => () => void
}

/**
 * The memory behind responses that sockets hold because their clients do not read, of all connections of a node together.
 * Three quarters are for all connections; the last quarter is for connections whose clients have read all responses, so that slow clients leave memory for fast ones.
 */
export class ResponseBudget {
  private held = 0
  private readonly waiting = new Set<() => void>()

  /** `memory`: the memory budget of the node, which counts these bytes too; when it is short, this budget is short. */
  constructor(
    readonly bytesMax: number,
    private readonly memory?: MemoryBudget
  ) {}

  get heldBytes(): number {
    return this.held
  }
  /** Whether connections with unread responses get no more records. */
  get isShort(): boolean {
    return this.shared <= 0
  }
  private get shared(): number {
    const own = this.bytesMax * (1 - reservedShare) - this.held
    return this.memory === undefined ? own : Math.min(own, this.memory.room)
  }

  /** Returns the bytes that a response may have. `isOwing`: its client has not read the responses before it. */
  room(isOwing: boolean): number {
    if (!this.isShort) return Math.ceil(this.shared)
    return isOwing ? 0 : Math.max(0, Math.min(reservedAnswerBytes, this.bytesMax - this.held))
  }
  /** Returns why the server closes a connection that holds `bytes` and does not read. */
  surplus(bytes: number): string {
    const own = `unread answers of all held ${this.held} of the ${this.bytesMax} bytes of queued.max.response.bytes`
    return `left ${bytes} bytes of answers unread when ${this.memory?.isShort === true ? this.memory.figures : own}`
  }
  /** Adds to the bytes that connections hold; negative: releases them. */
  change(bytes: number): void {
    const wasShort = this.isShort
    this.held += bytes
    this.memory?.changeAnswers(bytes)
    if (bytes < 0 && wasShort) for (const wake of this.waiting) wake()
  }
  whenFree(wake: () => void): () => void {
    if (this.memory?.isShort === true) return this.memory.whenFree(wake)
    this.waiting.add(wake)
    return () => this.waiting.delete(wake)
  }
}
