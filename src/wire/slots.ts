import type { RequestContext, Route } from "./route.ts"

/** A request that was read and is not answered yet. */
export interface Slot {
  readonly route: Route | undefined
  readonly context: RequestContext | undefined
  readonly bodyAt: number
  /** Bytes of its frame. */
  readonly size: number
  /** Which chunk of its connection it is a view of, by number; undefined when its frame has memory of its own. */
  readonly chunk: number | undefined
  state: "waiting" | "running" | "done"
  /** Calls the handler off, while its answer is waited for. */
  stop: (() => void) | undefined
  /** The answer, length prefix first, while it waits for the answers before it. */
  chunks: ReadonlyArray<Uint8Array> | undefined
  /** The connection ends in its place. */
  ends: boolean
}

/**
 * The requests of one connection that are under way, in the order in which they came. One starts when those before it are done, or, if it is pipelined, when those that
 * are not done are pipelined too. Answers leave in the order of the requests, but an unordered one leaves at once.
 */
export class Slots {
  private slots: Array<Slot> = []
  private running = 0
  private blocking = 0
  private bytes = 0

  get count(): number {
    return this.slots.length
  }
  /** Bytes of the frames that are under way. */
  get size(): number {
    return this.bytes
  }

  add(slot: Slot): void {
    this.slots.push(slot)
    this.bytes += slot.size
  }
  /** The next request that may start now, marked as running. */
  start(): Slot | undefined {
    if (this.blocking > 0) return undefined
    const slot = this.slots.find(({ state }) => state === "waiting")
    if (slot === undefined || (this.running > 0 && slot.route?.pipelined !== true)) return undefined
    slot.state = "running"
    this.running++
    if (slot.route?.pipelined !== true) this.blocking++
    return slot
  }
  done(slot: Slot): void {
    if (slot.state !== "running") return
    slot.state = "done"
    slot.stop = undefined
    this.running--
    if (slot.route?.pipelined !== true) this.blocking--
  }
  /** The next request whose answer may leave now; it is forgotten here. */
  leave(): Slot | undefined {
    const first = this.slots[0]
    if (first === undefined) return undefined
    if (first.state === "done") {
      this.slots.shift()
      this.bytes -= first.size
      return first
    }
    const at = this.slots.findIndex(({ state, route }) => state === "done" && route?.unordered === true)
    if (at < 0) return undefined
    const [slot] = this.slots.splice(at, 1)
    this.bytes -= slot?.size ?? 0
    return slot
  }
  /** Forgets everything; answers what was running. */
  clear(): ReadonlyArray<Slot> {
    const all = this.slots.filter(({ state }) => state === "running")
    this.slots = []
    this.running = 0
    this.blocking = 0
    this.bytes = 0
    return all
  }
}
