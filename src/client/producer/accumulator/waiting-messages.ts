import type { PreparedMessage } from "../message.ts"
import type { SendError } from "./delivery.ts"

/** A message that waits for the metadata of its topic, or for buffer memory. */
export interface WaitingMessage {
  readonly message: PreparedMessage
  /** The time of the call, ms of the monotonic clock. */
  readonly since: number
  /** Hands the message over; the memory is taken. One of the two is called once, unless the caller withdraws. */
  readonly submit: (partition: number, since: number) => void
  readonly refuse: (error: SendError) => void
  /** Its place among the messages of the topic. */
  readonly order: number
  /** Called when the message waits no longer. */
  readonly onGone: Array<() => void>
}

/**
 * The messages of one topic that wait, in the order of the calls. All have the same timeouts, so that the first has the
 * earliest deadline. Plain state: a message that waits has no fiber and no timer of its own, since thousands may wait
 * while a cluster is unreachable, and all of them end at the same time.
 */
export class WaitingMessages {
  private readonly entries: Array<WaitingMessage> = []
  /** A fiber places the messages. */
  isPlacing = false
  /** The first message waits for buffer memory. Ends the wait when the message is gone. */
  endMemoryWait: (() => void) | undefined
  private orders = 0

  constructor(
    readonly topic: string,
    /** A message waits no longer. */
    private readonly onRemoved: (entry: WaitingMessage) => void
  ) {}

  get first(): WaitingMessage | undefined {
    return this.entries[0]
  }
  /** The order of the next message. */
  get nextOrder(): number {
    return this.orders
  }
  get isEmpty(): boolean {
    return this.entries.length === 0
  }
  get all(): ReadonlyArray<WaitingMessage> {
    return this.entries
  }
  has(entry: WaitingMessage): boolean {
    return this.entries.includes(entry)
  }

  add(given: Omit<WaitingMessage, "order" | "onGone">): WaitingMessage {
    const entry = { ...given, order: this.orders++, onGone: [] }
    this.entries.push(entry)
    return entry
  }

  /** The message waits no longer. False where it was gone before. */
  remove(entry: WaitingMessage): boolean {
    const at = this.entries[0] === entry ? 0 : this.entries.indexOf(entry)
    if (at < 0) return false
    if (at === 0) this.entries.shift()
    else this.entries.splice(at, 1)
    this.onRemoved(entry)
    for (const gone of entry.onGone) gone()
    if (at === 0) this.endMemoryWait?.()
    return true
  }

  /** Refuses all messages that came before `order`. */
  refuse(error: SendError, order: number): void {
    for (let next = this.first; next !== undefined && next.order < order; next = this.first) {
      this.remove(next)
      next.refuse(error)
    }
  }
}
