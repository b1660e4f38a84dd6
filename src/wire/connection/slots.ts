import type { Later } from "../later.ts"
import { RequestContext, type Route } from "../route.ts"
import type { Ready, Routed } from "../routing/route-table.ts"
import type { Session } from "../session.ts"
import type { Ticket } from "../slicing/turns.ts"

/** A request whose response is not sent yet. */
export interface Slot {
  readonly route: Route | undefined
  /** Its frame is empty once its memory is released. */
  readonly context: RequestContext | undefined
  readonly bodyAt: number
  /** Bytes of its frame. */
  readonly size: number
  /** The number of the connection's chunk that the frame is a view of; undefined if the frame has its own memory. */
  readonly chunk: number | undefined
  state: "waiting" | "running" | "done" | "left"
  /** Bytes of memory that it holds: its frame until that is released, and the decoded fields. */
  held: number
  /** Interrupts the handler while the response is due. */
  stop: (() => void) | undefined
  /** Makes the response before the wait is over; undefined while that is not possible. */
  early: (() => unknown) | undefined
  /** The second of its server in which the wait began. */
  since: number
  /** Array elements that the free memory allowed when the request started. */
  elementsMax: number
  /** The encoded response, length prefix first, while it waits for the responses before it. */
  chunks: ReadonlyArray<Uint8Array> | undefined
  /** Its claim to the one place for heavy work; undefined for a request that is handled in one go. With a ticket, the response is encoded in slices. */
  ticket: Ticket | undefined
  /** The connection closes instead of this response. */
  ends: boolean
}

/** Approximate bytes that a request takes besides its frame: its slot, its header and its handler's state. */
export const placeBytes = 2048
/** Makes the slot of a request that has a route, or whose response is ready. */
export const slotOf = (found: Routed | Ready, session: Session, frame: Uint8Array, chunk: number | undefined): Slot => {
  const routed = "route" in found ? found : undefined
  if (routed !== undefined) session.note(routed.header.clientId)
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

/** Answered slots that may stay at the start of the array before they are removed. */
const leftMax = 256

/**
 * The requests in flight of one connection, in the order of arrival. A request starts when those before it are done; a pipelined one starts when those that are not done are
 * pipelined too. Responses are sent in the order of the requests, except that an unordered one is sent at once. Every operation takes constant time.
 */
export class Slots {
  private slots: Array<Slot> = []
  /** The oldest that has not left, and the oldest that has not started. */
  private first = 0
  private next = 0
  /** Unordered ones that are done; undefined on a connection that has none. */
  private early: Array<Slot> | undefined
  /** The next request ends the wait of the one that waits. */
  yields = false
  private under = 0
  private running = 0
  private blocking = 0
  private bytes = 0
  private held = 0

  get count(): number {
    return this.under
  }
  /** Bytes of the requests that are in flight, as they came. */
  get size(): number {
    return this.bytes
  }
  /** Bytes of memory that those in flight hold. */
  get heldBytes(): number {
    return this.held
  }
  /** The oldest request that is under way and can be answered early. */
  get oldestWait(): Slot | undefined {
    for (let at = this.first; at < this.next; at++) {
      const slot = this.slots[at]
      // Without `stop` its wait is over, and its response is about to be made.
      if (slot?.state === "running" && slot.early !== undefined && slot.stop !== undefined) return slot
    }
    return undefined
  }
  /** Begins a wait; `ready` is called once, unless the wait is called off. Returns whether it has to end at once: it yields to a request that came already. */
  wait(slot: Slot, later: Later<unknown>, ready: (make: () => unknown) => void): boolean {
    slot.early = later.early
    this.yields = later.yields
    slot.stop = later.begin((make) => {
      // Its response is about to be made, and is not made early as well.
      slot.early = undefined
      ready(make)
    })
    return later.yields && this.next < this.slots.length
  }
  /** Ends that wait; returns the request and the function that makes its response. */
  callOff(): readonly [slot: Slot, make: () => unknown] | undefined {
    const slot = this.oldestWait
    const early = slot?.early
    if (slot === undefined || early === undefined) return undefined
    slot.stop?.()
    slot.stop = slot.early = undefined
    this.yields = false
    return [slot, early]
  }
  /** Sets the bytes of memory that a request holds. */
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
  /** Until `release`, no request starts: one is still being decoded, and no later request may be handled before it. */
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
  /** Removes and returns the next request whose response may be sent. */
  leave(): Slot | undefined {
    const first = this.slots[this.first]
    if (first?.state === "done") return this.left(first)
    if (this.early === undefined) return undefined
    for (let slot = this.early.shift(); slot !== undefined; slot = this.early.shift()) if (slot.state === "done") return this.left(slot)
    return undefined
  }
  /** Removes all requests; returns those that were running. */
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
