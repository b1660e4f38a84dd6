import type { OpenConnection } from "../connection/open-connection.ts"
import { type MemoryBudget, smallRequestBytes } from "./memory-budget.ts"

/** Seconds that the budget may be short before unfinished requests are closed: requests in flight have time to end. */
const unfinishedSeconds = 2
/** Seconds that the budget may be short before connections with requests behind a waiting one are closed; while it is full, any connection. */
const queuedSeconds = 4
/** Unfinished requests that fill this share of the budget together are closed however small each is. */
const smallShare = 1 / 4

type Weight = (connection: OpenConnection) => number

/** A client that has been sending a request for long is less likely to finish it than one that has just begun. */
const unfinished: Weight = ({ partialBytes, partialSeconds }) => partialBytes * (1 + partialSeconds)
const requestBytes: Weight = (connection) => connection.requestBytes
/** The bytes of a connection whose first request waits for records: no disk and no other node will release them. */
const queuedBytes: Weight = (connection) => (connection.oldestWait === undefined ? 0 : connection.requestBytes)

/**
 * Frees memory when the budget is short, in this order: connections with large requests pause themselves, the oldest waiting requests are answered early, and after some seconds
 * the connections with the largest unfinished requests are closed, then those with the most bytes queued behind a waiting request.
 */
export class Relief {
  private shortSeconds = 0

  constructor(
    private readonly memory: MemoryBudget,
    private readonly open: ReadonlySet<OpenConnection>
  ) {}

  /** Called when the budget is full: there is no memory for the bytes that arrive. */
  now(): void {
    // A little more than is needed, so that the next chunk does not call this again.
    const isNearlyFull = () => this.memory.isNearlyFull
    this.closeUnfinished(isNearlyFull)
    this.closeWhile(isNearlyFull, queuedBytes, smallRequestBytes)
  }

  /** Called once a second. */
  turn(): void {
    const { memory } = this
    memory.turn()
    if (!memory.isShort) {
      this.shortSeconds = 0
      memory.wake()
      return
    }
    this.shortSeconds++
    this.hurry()
    if (this.shortSeconds >= unfinishedSeconds) this.closeUnfinished(() => memory.isShort)
    if (this.shortSeconds >= queuedSeconds) this.closeWhile(() => memory.isShort, queuedBytes, smallRequestBytes)
    if (this.shortSeconds >= queuedSeconds) this.closeWhile(() => memory.isFull, requestBytes, 0)
  }

  /** Answers waiting requests early, the oldest first, until they have released the bytes that are missing. */
  private hurry(): void {
    const waits = [...this.open].flatMap((connection) => {
      const wait = connection.oldestWait
      return wait === undefined ? [] : [{ connection, held: wait.held, since: wait.since }]
    })
    let missing = -this.memory.room
    for (const { connection, held } of waits.sort((one, other) => one.since - other.since)) {
      if (missing < 0) return
      missing -= held
      connection.hurry()
    }
  }

  /** Spares small unfinished requests unless they fill the budget: a paused connection does not notice that its client has closed it. */
  private closeUnfinished(isShort: () => boolean): void {
    let partial = 0
    for (const connection of this.open) partial += connection.partialBytes
    this.closeWhile(isShort, unfinished, partial > this.memory.bytesMax * smallShare ? 0 : smallRequestBytes)
  }
  /** Closes the connections with more than `bytesMin`, the heaviest first. Sorts them once: there may be ten thousand. */
  private closeWhile(isShort: () => boolean, weight: Weight, bytesMin: number): void {
    if (!isShort()) return
    const heavy = [...this.open]
      .filter(({ admitted }) => !admitted.isLink)
      .map((connection) => ({ connection, bytes: weight(connection) }))
      .filter(({ bytes }) => bytes > bytesMin)
      .sort((one, other) => other.bytes - one.bytes)
    for (const { connection } of heavy) {
      if (!isShort()) return
      connection.relieve()
    }
  }
}
