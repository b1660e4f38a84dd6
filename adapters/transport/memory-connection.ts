import type { Address, Listener } from "../../src/ports/transport.ts"
import { nextConnectionId } from "./connection-id.ts"
import type { Closable } from "./linger.ts"
import { MemoryPipe, type Way } from "./memory-pipe.ts"

/** Bytes in the kernel's buffers and on the network; further bytes wait in the sender's memory. */
const windowBytes = 262_144

/** One end of a simulated connection. */
export class MemoryConnection implements Closable {
  readonly id = nextConnectionId()
  isClosed = false
  private ending = false
  private full = false
  private listener: Listener | undefined
  private peer: MemoryConnection | undefined
  /** Bytes from the peer. */
  private readonly incoming: MemoryPipe

  private constructor(
    /** The name of this end's host. */
    readonly host: string,
    readonly local: Address,
    readonly remote: Address,
    way: Way,
    private readonly forget: (connection: MemoryConnection) => void
  ) {
    this.incoming = new MemoryPipe(way, {
      received: (bytes) => {
        if (!this.ending && !this.isClosed) this.listener?.received(bytes)
      },
      ended: (cause) => this.close(cause),
      taken: () => this.peer?.peerTook(),
      broken: () => this.break("the network dropped the connection")
    })
  }

  /** Makes both ends. The `way` of an end carries the bytes that the other end sends. */
  static pair(
    from: { readonly host: string; readonly address: Address; readonly way: Way },
    to: { readonly host: string; readonly address: Address; readonly way: Way },
    forget: (connection: MemoryConnection) => void
  ): readonly [MemoryConnection, MemoryConnection] {
    const caller = new MemoryConnection(from.host, from.address, to.address, from.way, forget)
    const called = new MemoryConnection(to.host, to.address, from.address, to.way, forget)
    caller.peer = called
    called.peer = caller
    return [caller, called]
  }
  get peerHost(): string {
    return this.peer?.host ?? this.host
  }
  open(listener: Listener): void {
    this.listener = listener
    this.incoming.open(listener)
  }

  write(chunks: ReadonlyArray<Uint8Array>, taken?: () => void): number {
    const to = this.peer?.incoming
    if (this.ending || this.isClosed || to === undefined) return 0
    let size = 0
    for (const chunk of chunks) size += chunk.length
    if (size > 0) {
      // The receiver owns the bytes that it is given and may write to them, so it is given a copy.
      const bytes = new Uint8Array(size)
      let at = 0
      for (const chunk of chunks) {
        bytes.set(chunk, at)
        at += chunk.length
      }
      to.send({ kind: "bytes", bytes })
    }
    taken?.()
    this.full = to.size > windowBytes
    return this.full ? to.size - windowBytes : 0
  }
  /** Overwrites the bytes, so that a test finds a caller that still uses them. */
  release(bytes: Uint8Array): void {
    bytes.fill(0xdd)
  }
  pause(): void {
    this.incoming.paused = true
  }
  resume(): void {
    this.incoming.paused = false
    this.incoming.wake()
  }
  end(): void {
    if (this.ending || this.isClosed) return
    this.ending = true
    // A paused end must still learn that its peer has closed.
    this.incoming.paused = false
    this.incoming.wake()
    this.peer?.incoming.send({ kind: "end" })
    if ((this.peer?.incoming.size ?? 0) <= windowBytes) this.close(undefined)
  }
  destroy(): void {
    if (this.isClosed) return
    this.ending = true
    this.peer?.incoming.clear()
    this.peer?.incoming.send({ kind: "reset" })
    this.close(undefined)
  }
  /** Closes both ends at once, and drops the bytes between them: a broken network that both ends noticed. */
  break(cause: string): void {
    const { peer } = this
    for (const end of [this, peer]) {
      end?.incoming.clear()
      end?.close(cause)
    }
  }
  /** Nothing arrives at this end any more, not even the end of the stream: a half-open connection. */
  freeze(): void {
    this.incoming.frozen = true
  }
  /** Delivers again, where the network allows it. */
  wake(): void {
    this.incoming.wake()
  }

  private peerTook(): void {
    const left = this.peer?.incoming.size ?? 0
    if (this.ending && left <= windowBytes) this.close(undefined)
    if (!this.full || left > 0) return
    this.full = false
    if (!this.ending && !this.isClosed) this.listener?.drained()
  }
  private close(cause: string | undefined): void {
    if (this.isClosed) return
    this.isClosed = true
    this.incoming.clear()
    this.forget(this)
    queueMicrotask(() => (cause === undefined ? this.listener?.closed() : this.listener?.closed(cause)))
  }
}
