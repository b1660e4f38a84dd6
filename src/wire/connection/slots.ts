import { RequestContext, type Route } from "../route.ts"
import type { Ready, Routed } from "../routing/route-table.ts"
import type { Session } from "../session.ts"
import type { Ticket } from "../slicing/turns.ts"

/** A request that was read and is not answered yet. */
export interface Slot {
  readonly route: Route | undefined
  /** Its frame is empty when it was given back. */
  readonly context: RequestContext | undefined
  readonly bodyAt: number
  /** Bytes of its frame. */
  readonly size: number
  /** Which chunk of its connection it is a view of, by number; undefined when its frame has memory of its own. */
  readonly chunk: number | undefined
  state: "waiting" | "running" | "done" | "left"
  /** Bytes of memory that it holds: its frame as long as that is kept, and what was made of it. */
  held: number
  /** Calls the handler off, while its answer is waited for. */
  stop: (() => void) | undefined
  /** Makes the answer before the wait for it is over; undefined while that is not possible. */
  early: (() => unknown) | undefined
  /** The second of its server in which the wait began. */
  since: number
  /** Elements that there was memory for when it was begun. */
  elementsMax: number
  /** The answer, length prefix first, while it waits for the answers before it. */
  chunks: ReadonlyArray<Uint8Array> | undefined
  /** What it has of the place for heavy work; undefined for what is made in one go. With it, what is made is written in slices. */
  ticket: Ticket | undefined
  /** The connection ends in its place. */
  ends: boolean
}

/** What a request takes besides its frame, roughly, bytes: its place, its header and what its handler knows of it. */
export const placeBytes = 2048
/** The slot of a request that has a route, or whose answer is ready. */
export const slotOf = (found: Routed | Ready, session: Session, frame: Uint8Array, chunk: number | undefined): Slot => {
  const routed = "route" in found ? found : undefined
  if (routed !== undefined && routed.header.clientId !== session.clientId) session.clientId = routed.header.clientId
  return {
    route: routed?.route,
    context: routed === undefined ? undefined : new RequestContext(routed.header, session, frame),
    bodyAt: routed?.bodyAt ?? 0,
    size: frame.length,
    held: frame.length + placeBytes,
    chunk,
    state: "waiting",
    stop: undefined,
    early: undefined,
    since: 0,
    elementsMax: Number.POSITIVE_INFINITY,
    ticket: undefined,
    chunks: "chunks" in found ? found.chunks : undefined,
    ends: false
  }
}

/** Places of requests that have left and are not cleared away yet. */
const leftMax = 256

/**
 * The requests of one connection that are under way, in the order in which they came. One starts when those before it are done, or, if it is pipelined, when those that
 * are not done are pipelined too. Answers leave in the order of the requests, but an unordered one leaves at once. Nothing here takes longer the more there are.
 */
export class Slots {
  private slots: Array<Slot> = []
  /** The oldest that has not left, and the oldest that has not started. */
  private first = 0
  private next = 0
  /** Unordered ones that are done; undefined on a connection that has none. */
  private early: Array<Slot> | undefined
  private under = 0
  private running = 0
  private blocking = 0
  private bytes = 0
  private held = 0

  get count(): number {
    return this.under
  }
  /** Bytes of the requests that are under way, as they came. */
  get size(): number {
    return this.bytes
  }
  /** Bytes of memory that those under way hold. */
  get heldBytes(): number {
    return this.held
  }
  /** The oldest request that is under way and can be answered early. */
  get oldestWait(): Slot | undefined {
    for (let at = this.first; at < this.next; at++) {
      const slot = this.slots[at]
      // Without `stop` its wait is over, and its answer is about to be made.
      if (slot?.state === "running" && slot.early !== undefined && slot.stop !== undefined) return slot
    }
    return undefined
  }
  /** Calls off that wait; returns the request, and what makes its answer. */
  callOff(): readonly [slot: Slot, make: () => unknown] | undefined {
    const slot = this.oldestWait
    const early = slot?.early
    if (slot === undefined || early === undefined) return undefined
    slot.stop?.()
    slot.stop = slot.early = undefined
    return [slot, early]
  }
  /** A request keeps `bytes` of memory from now on. */
  keep(slot: Slot, bytes: number): void {
    if (slot.state === "left") return
    this.held += bytes - slot.held
    slot.held = bytes
  }

  add(slot: Slot): void {
    this.slots.push(slot)
    this.under++
    this.bytes += slot.size + placeBytes
    this.held += slot.held
  }
  /** The next request that may start now, marked as running. */
  start(): Slot | undefined {
    const slot = this.slots[this.next]
    if (this.blocking > 0 || slot === undefined || (this.running > 0 && slot.route?.pipelined !== true)) return undefined
    this.next++
    slot.state = "running"
    this.running++
    if (slot.route?.pipelined !== true) this.blocking++
    return slot
  }
  /** Until `release`, nothing starts: a request is still being read, and what comes behind it must not be done before it. */
  hold(): void {
    this.blocking++
  }
  release(): void {
    this.blocking--
  }
  done(slot: Slot): void {
    if (slot.state !== "running") return
    slot.state = "done"
    slot.stop = slot.early = undefined
    this.running--
    if (slot.route?.pipelined !== true) this.blocking--
    if (slot.route?.unordered === true) (this.early ??= []).push(slot)
  }
  /** The next request whose answer may leave now; it is forgotten here. */
  leave(): Slot | undefined {
    const first = this.slots[this.first]
    if (first?.state === "done") return this.left(first)
    if (this.early === undefined) return undefined
    for (let slot = this.early.shift(); slot !== undefined; slot = this.early.shift()) if (slot.state === "done") return this.left(slot)
    return undefined
  }
  /** Forgets everything; answers what was running. */
  clear(): ReadonlyArray<Slot> {
    const all = this.slots.filter(({ state }) => state === "running")
    this.slots = []
    this.early = undefined
    this.first = this.next = this.under = this.running = this.blocking = this.bytes = this.held = 0
    return all
  }

  private left(slot: Slot): Slot {
    slot.state = "left"
    this.under--
    this.bytes -= slot.size + placeBytes
    this.held -= slot.held
    while (this.slots[this.first]?.state === "left") this.first++
    if (this.first === this.slots.length) {
      // Without `splice`, which would make an array of what it removes for nearly every request.
      this.slots.length = this.first = this.next = 0
    } else if (this.first >= leftMax) {
      this.slots.splice(0, this.first)
      this.next -= this.first
      this.first = 0
    }
    return slot
  }
}
