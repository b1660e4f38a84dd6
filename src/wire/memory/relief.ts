import type { OpenConnection } from "../connection/open-connection.ts"
import { type MemoryBudget, smallRequestBytes } from "./memory-budget.ts"

/** So many seconds the account may be short before unfinished requests are given up: what is under way has time to end. */
const unfinishedSeconds = 2
/** So many seconds it may be short before connections are closed that have queued requests behind one that waits; while it is full, any. */
const queuedSeconds = 4
/** Unfinished requests of all connections that fill this share of the account are closed however small each is. */
const smallShare = 1 / 4

type Weight = (connection: OpenConnection) => number

/** A request that has been under way for long is less likely to be finished than one that has just begun. */
const unfinished: Weight = ({ partialBytes, partialSeconds }) => partialBytes * (1 + partialSeconds)
const requestBytes: Weight = (connection) => connection.requestBytes
/** What a connection holds whose first request waits: no disk and no other node will free it. */
const queuedBytes: Weight = (connection) => (connection.oldestWait === undefined ? 0 : connection.requestBytes)

/**
 * What happens when the account of the memory is short, in this order: connections with large requests are paused (each does that itself), the oldest waits are answered
 * early, and after a while the connections with the largest unfinished requests are closed, then those that have queued most behind a request that waits.
 */
export class Relief {
  private shortSeconds = 0

  constructor(
    private readonly memory: MemoryBudget,
    private readonly open: ReadonlySet<OpenConnection>
  ) {}

  /** Called when the account is full: what comes now has no room at all. */
  now(): void {
    // A little more than is needed, so that the next chunk does not come here again.
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

  /** Answers waits early, the oldest first, until they have given back what is missing. */
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

  /** Small unfinished requests are spared unless they are what fills the account: a connection that is paused does not hear that its peer is gone. */
  private closeUnfinished(isShort: () => boolean): void {
    let partial = 0
    for (const connection of this.open) partial += connection.partialBytes
    this.closeWhile(isShort, unfinished, partial > this.memory.bytesMax * smallShare ? 0 : smallRequestBytes)
  }
  /** Closes the connections of more than `bytesMin`, the heaviest first. They are sorted once: there may be ten thousand of each. */
  private closeWhile(isShort: () => boolean, weight: Weight, bytesMin: number): void {
    if (!isShort()) return
    const heavy = [...this.open]
      .filter(({ place }) => !place.isLink)
      .map((connection) => ({ connection, bytes: weight(connection) }))
      .filter(({ bytes }) => bytes > bytesMin)
      .sort((one, other) => other.bytes - one.bytes)
    for (const { connection } of heavy) {
      if (!isShort()) return
      connection.relieve()
    }
  }
}
