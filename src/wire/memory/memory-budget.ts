/** The share of the budget that is reserved for small requests and for links between nodes. */
const reservedShare = 1 / 8
const reservedBytesMax = 32 * 1024 * 1024
/** A request up to this length is small: ApiVersions, Metadata and heartbeats are far below. */
export const smallRequestBytes = 65_536
/** Bytes that a connection may receive between two looks at the budget: at most the chunk that a socket delivers. */
const turnBytes = 524_288

interface MemoryBudgetOptions {
  /** Bytes of requests, responses and waiting work together (`franz.memory.request.budget.bytes`). */
  readonly bytesMax: number
  /** Bytes of requests alone (Kafka's `queued.max.request.bytes`); default: no bound of their own. */
  readonly requestBytesMax?: number | undefined
  /** Collects garbage and returns free memory to the operating system; absent where the platform cannot. */
  readonly collect?: (() => void) | undefined
}

/** A burst has ended when this share of the budget was in use, and only this one is now. */
const burstShare = 1 / 4
const quietShare = 1 / 16
/** Seconds between two collections at least. */
const collectionSeconds = 5
/** A pause after a collection between two pieces of heavy work, as a multiple of the time that it took. */
const pausePerCollection = 50n

/**
 * The memory that requests, responses and waiting work hold, over all connections of a process. Each connection reports its own changes. The budget has two marks.
 * Beyond the first it is short: connections with a large request are paused, and the oldest waits are answered early. Beyond the second it is full: connections are
 * closed, those with the largest unfinished request first. The bytes between the marks are for small requests (ApiVersions, Metadata, heartbeats).
 */
export class MemoryBudget {
  readonly bytesMax: number
  readonly requestBytesMax: number
  private readonly reserved: number
  private requests = 0
  private answers = 0
  /** There is no memory for large requests. A field, since every chunk reads it. */
  isShort = false
  /** There is no memory for any request. */
  isFull = false
  /** The most that was held, and what large requests left to the garbage collection, since the last one that was asked for. */
  private peak = 0
  private leftBehind = 0
  private seconds = 0
  private tidyNotBeforeNs = 0n
  private readonly collect: (() => void) | undefined
  private isWaking = false
  private readonly waiting = new Set<() => void>()

  constructor({ bytesMax, collect, requestBytesMax = Number.POSITIVE_INFINITY }: MemoryBudgetOptions) {
    this.collect = collect
    this.bytesMax = bytesMax
    this.requestBytesMax = Math.min(requestBytesMax, bytesMax)
    this.reserved = Math.floor(Math.min(this.requestBytesMax * reservedShare, reservedBytesMax))
  }

  get heldBytes(): number {
    return this.requests + this.answers
  }
  get requestBytes(): number {
    return this.requests
  }
  /** Bytes that large requests, their waits and responses may still take; not above 0 when the budget is short. */
  get room(): number {
    return Math.min(this.bytesMax - this.requests - this.answers, this.requestBytesMax - this.requests) - this.reserved
  }
  /** Half of what is kept for small requests is in use. */
  get isNearlyFull(): boolean {
    return this.room <= -this.reserved / 2
  }
  /** Bytes of the longest request that fits into the budget while it is empty. */
  get longestRequestBytes(): number {
    return this.requestBytesMax - this.reserved
  }
  /** Describes the budget for log lines. */
  get figures(): string {
    const bound = this.requestBytesMax < this.bytesMax ? ` and the ${this.requestBytesMax} bytes of queued.max.request.bytes` : ""
    return `requests hold ${this.requests} and answers ${this.answers} of the ${this.bytesMax} bytes of franz.memory.request.budget.bytes${bound}`
  }

  /** Adds to the bytes that requests hold; negative: releases them. */
  changeRequests(bytes: number): void {
    this.requests += bytes
    this.changed(bytes)
  }
  /** Adds to the bytes that responses hold; negative: releases them. */
  changeAnswers(bytes: number): void {
    this.answers += bytes
    this.changed(bytes)
  }
  /** Notes a request of that many bytes whose frame the garbage collector frees later. */
  keepsFrame(bytes: number): void {
    if (bytes > smallRequestBytes) this.leftBehind += bytes
  }
  /** Notes the end of work whose bytes the garbage collector frees later. */
  leaves(bytes: number): void {
    if (bytes > smallRequestBytes) this.leftBehind += bytes
  }
  /**
   * Called between two pieces of heavy work, while neither is in memory: the engine is asked to collect what the last ones left before the next adds to it. No
   * more than a fiftieth of the time is spent on asking, where that waits for the collection. `nowNs`: monotonic.
   */
  tidy(nowNs: () => bigint): void {
    if (this.leftBehind < this.bytesMax * burstShare || this.collect === undefined) return
    const begun = nowNs()
    if (begun < this.tidyNotBeforeNs) return
    this.seconds = this.leftBehind = 0
    this.collect()
    const ended = nowNs()
    this.tidyNotBeforeNs = ended + (ended - begun) * pausePerCollection
  }

  /** Calls `wake` once when memory is free again, the first caller first; returns a function that cancels it. */
  whenFree(wake: () => void): () => void {
    this.waiting.add(wake)
    return () => this.waiting.delete(wake)
  }
  /** Wakes as many callers as there is memory for. */
  wake(): void {
    // A woken caller may release memory itself.
    if (this.isWaking) return
    this.isWaking = true
    let room = this.room
    for (const wake of this.waiting) {
      if (room <= 0) break
      room -= turnBytes
      this.waiting.delete(wake)
      wake()
    }
    this.isWaking = false
  }

  /** Called once a second. After a burst the memory of a process would stay as it was: the engine collects when it needs memory, not when it has too much. */
  turn(): void {
    this.seconds++
    const isOver = this.peak >= this.bytesMax * burstShare && this.heldBytes <= this.bytesMax * quietShare
    if (this.seconds < collectionSeconds || !(isOver || this.leftBehind >= this.bytesMax * burstShare)) return
    this.seconds = this.leftBehind = 0
    this.peak = this.heldBytes
    this.collect?.()
  }

  private changed(bytes: number): void {
    const { room } = this
    this.isShort = room <= 0
    this.isFull = room <= -this.reserved
    if (bytes > 0) this.peak = Math.max(this.peak, this.heldBytes)
    else if (this.waiting.size > 0) this.wake()
  }
}
