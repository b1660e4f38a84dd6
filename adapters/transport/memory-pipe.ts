import type { Listener } from "../../src/ports/transport.ts"

/** A packet on its way: bytes, the end of the stream, or a reset by the other side. */
type Packet = { readonly kind: "bytes"; readonly bytes: Uint8Array } | { readonly kind: "end" } | { readonly kind: "reset" }

/** The network that a pipe belongs to. */
export interface Way {
  /** Delay of the next packet, ms. */
  readonly delayMs: () => number
  readonly now: () => number
  /** Calls `arrived` after `ms` milliseconds, never before `after` returns. */
  readonly after: (ms: number, arrived: () => void) => void
  /** Whether the network delivers packets at present. */
  readonly isOpen: () => boolean
  /** Bytes that the receiver is given at once. */
  readonly segmentBytes: () => number
  /** Whether the connection breaks instead of delivering the next packet. */
  readonly breaks: () => boolean
}

/** One direction of a connection: packets arrive in the order in which they were sent, none before its time. */
export class MemoryPipe {
  private readonly packets: Array<{ readonly dueAt: number; readonly packet: Packet }> = []
  private dueAt = 0
  private bytes = 0
  private armed = false
  private receiver: Listener | undefined
  paused = false
  /** Delivers nothing any more. */
  frozen = false

  constructor(
    private readonly way: Way,
    private readonly events: {
      readonly received: (bytes: Uint8Array) => void
      readonly ended: (cause: string | undefined) => void
      /** The receiver was given some bytes. */
      readonly taken: () => void
      readonly broken: () => void
    }
  ) {}

  /** Bytes that were sent and not delivered. */
  get size(): number {
    return this.bytes
  }
  /** Starts the delivery to `receiver`. */
  open(receiver: Listener): void {
    this.receiver = receiver
    this.wake()
  }
  send(packet: Packet): void {
    if (packet.kind === "bytes") this.bytes += packet.bytes.length
    // Not before an earlier packet: the bytes of a stream keep their order.
    this.dueAt = Math.max(this.dueAt, this.way.now() + this.way.delayMs())
    this.packets.push({ dueAt: this.dueAt, packet })
    this.wake()
  }
  /** Drops packets that have not arrived. */
  clear(): void {
    this.packets.length = 0
    this.bytes = 0
  }
  /** Continues the delivery: after a pause, or when the network is whole again. */
  wake(): void {
    const next = this.packets[0]
    if (next === undefined || this.armed || this.paused || this.frozen || this.receiver === undefined || !this.way.isOpen()) return
    this.armed = true
    this.way.after(Math.max(0, next.dueAt - this.way.now()), () => {
      this.armed = false
      // A timer may fire slightly before its time; its packet is due all the same.
      this.deliver(Math.max(next.dueAt, this.way.now()))
    })
  }

  private deliver(now: number): void {
    while (this.receiver !== undefined && !this.paused && !this.frozen && this.way.isOpen()) {
      const next = this.packets[0]
      if (next === undefined || next.dueAt > now) break
      if (this.way.breaks()) return this.events.broken()
      this.packets.shift()
      const { packet } = next
      if (packet.kind === "bytes") this.hand(packet.bytes, next.dueAt)
      else this.events.ended(packet.kind === "reset" ? "the connection was reset by the other side" : undefined)
    }
    this.wake()
  }
  private hand(bytes: Uint8Array, dueAt: number): void {
    const size = Math.min(bytes.length, Math.max(1, this.way.segmentBytes()))
    // The rest of the packet stays first.
    if (size < bytes.length) this.packets.unshift({ dueAt, packet: { kind: "bytes", bytes: bytes.subarray(size) } })
    this.bytes -= size
    this.events.received(bytes.subarray(0, size))
    this.events.taken()
  }
}
