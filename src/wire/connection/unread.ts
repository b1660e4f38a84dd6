import { isLent, returnLent } from "../../ports/lent-memory.ts"
import type { Connection } from "../../ports/transport.ts"
import type { ResponseBudget, ResponseCapacity } from "../memory/response-budget.ts"
import type { RequestCounts } from "../metrics/request-counts.ts"

/** A connection whose client takes no byte for this long counts as stalled. */
const stalledSeconds = 10

/**
 * The responses that were written to one connection and that its client has not read. The node's budget counts the memory that they keep alive: a view of a hundred bytes keeps
 * the whole buffer that it is a view of.
 */
export class Unread implements ResponseCapacity {
  private waiting = 0
  private counted = 0
  /** Since everything was read: bytes of chunks, and of the memory that they are views of. */
  private written = 0
  private behind = 0
  private taken = -1
  private movedAt = 0

  constructor(private readonly budget: ResponseBudget) {}

  /** Bytes that the peer has not read yet. */
  get size(): number {
    return this.waiting
  }
  /** Bytes of memory that these responses keep alive. */
  get heldBytes(): number {
    return this.counted
  }

  /** Bytes that a response may have. */
  bytes(): number {
    return this.budget.room(this.waiting > 0)
  }
  whenFree(wake: () => void): () => void {
    return this.budget.whenFree(wake)
  }

  /** Notes chunks that were written, after which so many bytes wait in the socket. */
  wrote(chunks: ReadonlyArray<Uint8Array>, waiting: number): void {
    if (waiting === 0) return this.clear()
    let last: ArrayBufferLike | undefined
    for (const { buffer, length } of chunks) {
      this.written += length
      if (buffer !== last) this.behind += buffer.byteLength
      last = buffer
    }
    this.waiting = waiting
    this.count()
  }
  /** Notes how many bytes wait in the socket, at `seconds`. */
  look(waiting: number, seconds: number): void {
    if (waiting === 0) return this.clear()
    this.waiting = waiting
    const taken = this.written - waiting
    if (taken !== this.taken) this.movedAt = seconds
    this.taken = taken
    this.count()
  }
  clear(): void {
    if (this.waiting === 0 && this.counted === 0) return
    this.waiting = this.written = this.behind = 0
    this.taken = -1
    this.count()
  }

  /** Whether the client has read nothing for too long. */
  isStalled(seconds: number): boolean {
    return this.waiting > 0 && seconds - this.movedAt >= stalledSeconds
  }

  private count(): void {
    const held = this.waiting === 0 ? 0 : Math.ceil(this.waiting * Math.max(1, this.behind / Math.max(1, this.written)))
    if (held === this.counted) return
    this.budget.change(held - this.counted)
    this.counted = held
  }
}

/** Writes a response and releases memory lent for it when the transport has taken it. Returns the bytes that wait in the socket, as `write` does. */
export const send = (
  connection: Pick<Connection, "write">,
  chunks: ReadonlyArray<Uint8Array>,
  counts?: Pick<RequestCounts, "sent">
): ReturnType<Connection["write"]> => {
  counts?.sent(chunks)
  if (!chunks.some(isLent)) return connection.write(chunks)
  return connection.write(chunks, () => {
    for (const chunk of chunks) returnLent(chunk)
  })
}
