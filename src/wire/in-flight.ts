import { Either } from "effect"
import { decodeCorrelationId } from "../protocol/codec/frame.ts"
import type { CallFault } from "./fault.ts"

/** One request that was sent and waits for its answer. */
export interface Pending {
  /** Takes the answer's frame. Undefined where the caller has left: the answer is still due on the connection, and is dropped. */
  settle: ((outcome: Either.Either<Uint8Array, CallFault>) => void) | undefined
  /** By the monotonic milliseconds of the link. */
  readonly deadline: number
  readonly api: string
  readonly timeoutMs: number
}

/** The requests of one link that wait for answers, by correlation id. An answer names its request, so it need not be the oldest one. */
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
  /** The request that this frame answers; undefined for an answer that nobody asked for. */
  answered(frame: Uint8Array): Pending | undefined {
    const id = decodeCorrelationId(frame)
    if (Either.isLeft(id)) return undefined
    const pending = this.byId.get(id.right)
    this.byId.delete(id.right)
    return pending
  }
  /** The earliest deadline of those whose caller still waits; undefined for none. */
  earliest(): Pending | undefined {
    let first: Pending | undefined
    for (const pending of this.byId.values()) if (pending.settle !== undefined && (first === undefined || pending.deadline < first.deadline)) first = pending
    return first
  }
  /** Forgets all; answers those whose caller still waits. */
  clear(): ReadonlyArray<Pending> {
    const all = [...this.byId.values()]
    this.byId.clear()
    return all
  }
}
