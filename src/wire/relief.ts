import { type MemoryBudget, smallRequestBytes } from "./memory-budget.ts"
import type { ServerConnection } from "./server-connection.ts"

/** So many seconds the account may be short before unfinished requests are given up: what is under way has time to end. */
const unfinishedSeconds = 2
/** So many seconds it may be full before connections are closed whatever they hold. */
const anySeconds = 4
/** Unfinished requests of all connections that fill this share of the account are closed however small each is. */
const smallShare = 1 / 4

type Weight = (connection: ServerConnection) => number

const heaviestOf = (open: Iterable<ServerConnection>, weight: Weight, bytesMin: number): ServerConnection | undefined => {
  let heaviest: ServerConnection | undefined
  let most = bytesMin
  for (const connection of open) {
    const bytes = weight(connection)
    if (bytes <= most || connection.place.isLink) continue
    most = bytes
    heaviest = connection
  }
  return heaviest
}
const partialBytes: Weight = (connection) => connection.partialBytes
const requestBytes: Weight = (connection) => connection.requestBytes

/**
 * What happens when the account of the memory is short, in this order: connections with large requests are paused (each does that itself), the oldest waits are answered
 * early, and after a while the connections with the largest unfinished requests are closed.
 */
export class Relief {
  private shortSeconds = 0

  constructor(
    private readonly memory: MemoryBudget,
    private readonly open: ReadonlySet<ServerConnection>
  ) {}

  /** Called when the account is full: what comes now has no room at all. */
  now(): void {
    let partial = 0
    for (const connection of this.open) partial += connection.partialBytes
    // Small unfinished requests are spared unless they are what fills the account.
    this.closeWhile(() => this.memory.isFull, partialBytes, partial > this.memory.bytesMax * smallShare ? 0 : smallRequestBytes)
  }

  /** Called once a second. */
  turn(): void {
    const { memory } = this
    if (!memory.isShort) {
      this.shortSeconds = 0
      memory.wake()
      return
    }
    this.shortSeconds++
    this.hurry()
    if (this.shortSeconds >= unfinishedSeconds) this.closeWhile(() => memory.isShort, partialBytes, smallRequestBytes)
    if (this.shortSeconds >= anySeconds) this.closeWhile(() => memory.isFull, requestBytes, 0)
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

  private closeWhile(isShort: () => boolean, weight: Weight, bytesMin: number): void {
    while (isShort()) {
      const heaviest = heaviestOf(this.open, weight, bytesMin)
      if (heaviest === undefined) return
      heaviest.relieve()
    }
  }
}
