import type * as net from "node:net"
import type { Address, Listener } from "../../src/ports/transport.ts"
import { nextConnectionId } from "./connection-id.ts"
import type { Closable } from "./linger.ts"
import { freshMemory, Outbox, type OutboxSocket } from "./outbox.ts"

/**
 * A socket of node:net, or of node:tls. It keeps written chunks until the kernel has taken them, and reads each chunk into new memory.
 */
export class NodeConnection implements Closable, OutboxSocket {
  readonly id = nextConnectionId()
  readonly remote: Address
  readonly local: Address
  isClosed = false
  listener: Listener | undefined
  private readonly outbox: Outbox
  private paused = false
  private ending = false
  private cause: string | undefined
  private held: Array<Uint8Array> = []

  constructor(
    private readonly socket: net.Socket,
    forget: (connection: NodeConnection) => void
  ) {
    this.remote = { host: socket.remoteAddress ?? "unknown", port: socket.remotePort ?? 0 }
    this.local = { host: socket.localAddress ?? "unknown", port: socket.localPort ?? 0 }
    this.outbox = new Outbox(this, freshMemory)
    socket.setNoDelay(true)
    socket.on("data", (bytes: Uint8Array) => this.received(bytes))
    socket.on("drain", () => this.writable())
    socket.on("error", (cause) => {
      this.cause = cause.message
    })
    socket.on("close", () => {
      this.isClosed = true
      this.outbox.clear()
      this.held = []
      forget(this)
      if (this.cause === undefined) this.listener?.closed()
      else this.listener?.closed(this.cause)
    })
  }

  write(chunks: ReadonlyArray<Uint8Array>): number {
    if (this.ending || this.isClosed) return 0
    const waiting = this.outbox.write(chunks)
    return waiting === 0 ? 0 : waiting + this.socket.writableLength
  }
  /** Does nothing: chunks are views of larger memory, which others share. */
  release(): void {}
  pause(): void {
    if (this.paused || this.isClosed) return
    this.paused = true
    this.socket.pause()
  }
  resume(): void {
    if (!this.paused || this.isClosed) return
    this.paused = false
    const held = this.held
    this.held = []
    for (const bytes of held) this.received(bytes)
    if (!this.paused && !this.isClosed) this.socket.resume()
  }
  end(): void {
    if (this.ending || this.isClosed) return
    this.ending = true
    this.outbox.flush()
    if (this.outbox.size === 0) this.finish()
    else if (this.paused) this.socket.resume()
  }
  destroy(): void {
    if (this.isClosed) return
    this.ending = true
    // A TLS socket cannot be reset: its handle is none of TCP.
    if ("encrypted" in this.socket) this.socket.destroy()
    else this.socket.resetAndDestroy()
  }

  private received(bytes: Uint8Array): void {
    if (this.ending || this.isClosed) return
    if (this.paused) this.held.push(bytes)
    else this.listener?.received(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  }
  private writable(): void {
    this.outbox.flush()
    if (this.ending && this.outbox.size === 0) this.finish()
  }
  /**
   * Closes both directions when the kernel has the last byte, as Bun's sockets do; a peer that keeps its half open is
   * not waited for.
   */
  private finish(): void {
    this.socket.end(() => this.socket.destroy())
  }
  /**
   * The socket takes every chunk and reports when it is full; from then on chunks wait in the outbox, where they are
   * counted.
   */
  send(bytes: Uint8Array): number {
    if (!this.socket.writable) return -1
    if (!this.socket.write(bytes)) this.outbox.block()
    return bytes.length
  }
  drained(): void {
    if (!this.ending) this.listener?.drained()
  }
}
