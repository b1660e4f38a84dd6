import { Either } from "effect"
import { decodeCorrelationId } from "../../protocol/codec/frame.ts"
import type { CallFault } from "../fault.ts"

/** One request that was sent and whose response is due. */
export interface Pending {
  /**
   * Takes the response's frame. Undefined where the caller has left: the response is still due on the connection until the deadline, and is dropped. Without that deadline callers
   * that are less patient than the link would never find out that the peer is gone.
   */
  settle: ((outcome: Either.Either<Uint8Array, CallFault>) => void) | undefined
  /** When the link looks whether the response is late, in its monotonic milliseconds. */
  lookAt: number
  /** When the response is late, whatever else has arrived. */
  readonly deadline: number
  /** How long the peer may send no byte before the response is late. */
  readonly silenceMs: number
  /** How many chunks had arrived when the link last looked. */
  heard: number
  readonly api: string
  readonly timeoutMs: number
}

/** The requests of one link that wait for responses, by correlation id. A response names its request, so it need not be the oldest one. */
export class InFlight {
  private readonly byId = new Map<number, Pending>()
  private lastId = 0

  get count(): number {
    return this.byId.size
  }
  /** A correlation id that no waiting request has. */
  nextId(): number {
    do this.lastId = (this.lastId + 1) & 0x7fffffff
    while (this.byId.has(this.lastId))
    return this.lastId
  }
  add(id: number, pending: Pending): void {
    this.byId.set(id, pending)
  }
  remove(id: number): void {
    this.byId.delete(id)
  }
  /** The request that this frame answers; undefined for a response to no request in flight. */
  answered(frame: Uint8Array): Pending | undefined {
    const id = decodeCorrelationId(frame)
    if (Either.isLeft(id)) return undefined
    const pending = this.byId.get(id.right)
    this.byId.delete(id.right)
    return pending
  }
  /** The one that is to be looked at first; undefined for none. */
  earliest(): Pending | undefined {
    let first: Pending | undefined
    for (const pending of this.byId.values()) if (first === undefined || pending.lookAt < first.lookAt) first = pending
    return first
  }
  /** When the oldest request was sent since which nothing has come, by `heard`; undefined for none. */
  silentSince(heard: number): number | undefined {
    let since: number | undefined
    for (const { deadline, heard: before, timeoutMs } of this.byId.values())
      if (before === heard && (since === undefined || deadline - timeoutMs < since)) since = deadline - timeoutMs
    return since
  }
  /** Forgets all; returns those whose caller still waits. */
  clear(): ReadonlyArray<Pending> {
    const all = [...this.byId.values()]
    this.byId.clear()
    return all
  }
}
