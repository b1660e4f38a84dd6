import type { DecodeError } from "../../protocol/codec/decode-error.ts"
import { elementBytes } from "../../protocol/codec/reader.ts"
import type { AdmittedConnection } from "../admission/admission.ts"
import { type MemoryBudget, smallRequestBytes } from "./memory-budget.ts"

/** Changes below this are reported with the next ones: ten thousand connections are 40 MiB off at most. */
const countedBytesMin = 4096

/**
 * Producers seldom send longer requests, since Kafka's `max.request.size` is 1 MiB. A connection that does is read in
 * pieces from then on, which takes up to a quarter of its speed.
 */
const longRequestBytes = 2_097_152

/** Counts the memory of one connection's requests in the memory budget. */
export class Holding {
  private counted = 0
  private hasLong = false
  private stopWaiting: (() => void) | undefined

  constructor(
    private readonly memory: MemoryBudget,
    private readonly admitted: AdmittedConnection,
    /** Woken when memory is free again, after `mayRead` has returned false. */
    private readonly owner: { readonly wake: () => void }
  ) {}

  get bytes(): number {
    return this.counted
  }
  /** Sets the bytes that the connection holds. */
  count(bytes: number): void {
    const change = bytes - this.counted
    // A fetch that waits and is answered would report two changes for nothing.
    if (change === 0 || (change < countedBytesMin && change > -countedBytesMin && bytes > 0)) return
    this.counted = bytes
    this.memory.changeRequests(change)
  }
  /** Releases everything and stops waiting for memory. */
  end(): void {
    this.stopWaiting?.()
    this.count(0)
  }

  /** Whether the budget has room for the next bytes of the connection: `announced` bytes of the request that has begun, and the bytes that it holds. */
  mayRead(announced: number): boolean {
    const { memory } = this
    if (!memory.isShort || this.admitted.isLink) return true
    // Heartbeats of other nodes continue even while the budget is full.
    if ((!memory.isFull || this.admitted.isNode) && announced <= smallRequestBytes && this.counted <= smallRequestBytes) return true
    this.stopWaiting ??= memory.whenFree(() => {
      this.stopWaiting = undefined
      this.owner.wake()
    })
    return false
  }
  /** Returns why the connection with the most memory is closed. `partial` bytes of it belong to an incomplete request. */
  surplus(partial: number): string {
    return `held ${partial} bytes of a request that had not come whole and ${this.counted - partial} of others, the most of all, while ${this.memory.figures}`
  }
  /** Returns why a request of that length is refused before it has arrived; undefined for one that fits into the budget. */
  refusalOf(announced: number): string | undefined {
    const { longestRequestBytes } = this.memory
    // Every turn of every connection asks this, so the sentence is made where it is needed alone.
    if (announced <= longestRequestBytes) return undefined
    return `announces a request of ${announced} bytes, over the ${longestRequestBytes} that fit into the memory budget: ${this.memory.figures}`
  }

  /** Whether the request that has begun is the first long one of this connection. */
  beginsLong(announced: number): boolean {
    if (announced <= longRequestBytes || this.hasLong) return false
    this.hasLong = true
    return true
  }

  /** Elements that a request of that many bytes may have: a large one takes no more memory than is free. */
  elementsMax(bytes: number): number {
    return bytes <= smallRequestBytes ? Number.POSITIVE_INFINITY : Math.max(smallRequestBytes, Math.floor(this.memory.room / elementBytes))
  }
  /** Returns why a request that `elementsMax` bounded is refused; undefined if the request exceeds the `allowed` elements of its API. */
  shortageOf({ kind }: DecodeError, elementsMax: number, allowed: number): string | undefined {
    if (kind !== "elements" || elementsMax >= allowed) return undefined
    return `sent a request with more than the ${elementsMax} elements that there is memory for: ${this.memory.figures}`
  }
}
