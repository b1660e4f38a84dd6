import type { Listener } from "../../src/ports/transport.ts"

/** Something on its way. Bytes, the end of the stream, or the news that the other side is gone. */
export type Parcel = { readonly kind: "bytes"; readonly bytes: Uint8Array } | { readonly kind: "end" } | { readonly kind: "reset" }

/** What a pipe asks of the network it lies in. */
export interface Way {
  /** Milliseconds that the next parcel takes. */
  readonly delayMs: () => number
  readonly now: () => number
  /** Calls `arrived` after `ms` milliseconds, never before the call returns. */
  readonly after: (ms: number, arrived: () => void) => void
  /** Whether parcels get through now. */
  readonly isOpen: () => boolean
  /** How many bytes the receiver is given at once. */
  readonly segmentBytes: () => number
  /** Whether the connection breaks here instead of carrying the next parcel. */
  readonly breaks: () => boolean
}

/** One direction of a connection: parcels arrive in the order in which they were sent, none before its time. */
export class MemoryPipe {
  private readonly parcels: Array<{ readonly dueAt: number; readonly parcel: Parcel }> = []
  private dueAt = 0
  private bytes = 0
  private armed = false
  private receiver: Listener | undefined
  paused = false
  /** Carries nothing any more, for good. */
  frozen = false

  constructor(
    private readonly way: Way,
    private readonly events: {
      readonly received: (bytes: Uint8Array) => void
      readonly ended: (cause: string | undefined) => void
      /** Some bytes were handed over. */
      readonly taken: () => void
      readonly broken: () => void
    }
  ) {}

  /** Bytes that were sent and not handed over. */
  get size(): number {
    return this.bytes
  }
  /** Nothing is handed over before there is somebody who takes it. */
  open(receiver: Listener): void {
    this.receiver = receiver
    this.wake()
  }
  send(parcel: Parcel): void {
    if (parcel.kind === "bytes") this.bytes += parcel.bytes.length
    // Never before what was sent earlier: the bytes of a stream do not overtake each other.
    this.dueAt = Math.max(this.dueAt, this.way.now() + this.way.delayMs())
    this.parcels.push({ dueAt: this.dueAt, parcel })
    this.wake()
  }
  /** Forgets what has not arrived. */
  clear(): void {
    this.parcels.length = 0
    this.bytes = 0
  }
  /** Looks again whether something can be handed over: after a pause, or when the way is open again. */
  wake(): void {
    const next = this.parcels[0]
    if (next === undefined || this.armed || this.paused || this.frozen || this.receiver === undefined || !this.way.isOpen()) return
    this.armed = true
    this.way.after(Math.max(0, next.dueAt - this.way.now()), () => {
      this.armed = false
      // A timer may fire a hair before its moment; what it was set for is due all the same.
      this.deliver(Math.max(next.dueAt, this.way.now()))
    })
  }

  private deliver(now: number): void {
    while (this.receiver !== undefined && !this.paused && !this.frozen && this.way.isOpen()) {
      const next = this.parcels[0]
      if (next === undefined || next.dueAt > now) break
      if (this.way.breaks()) return this.events.broken()
      this.parcels.shift()
      const { parcel } = next
      if (parcel.kind === "bytes") this.hand(parcel.bytes, next.dueAt)
      else this.events.ended(parcel.kind === "reset" ? "the connection was reset by the other side" : undefined)
    }
    this.wake()
  }
  private hand(bytes: Uint8Array, dueAt: number): void {
    const size = Math.min(bytes.length, Math.max(1, this.way.segmentBytes()))
    // What is left stays the first in line.
    if (size < bytes.length) this.parcels.unshift({ dueAt, parcel: { kind: "bytes", bytes: bytes.subarray(size) } })
    this.bytes -= size
    this.events.received(bytes.subarray(0, size))
    this.events.taken()
  }
}
