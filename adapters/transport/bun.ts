import { Effect, Layer } from "effect"
import { type Address, type ConnectFault, type Connection, type Listener, Transport } from "../../src/ports/transport.ts"
import { connecting } from "./connecting.ts"
import { nextConnectionId } from "./connection-id.ts"
import { connectFault, listenFault } from "./fault.ts"
import { type Closable, endAll } from "./linger.ts"
import { Outbox, type OutboxSocket, sharedMemory } from "./outbox.ts"
import { boundReceiveBuffer } from "./receive-buffer.ts"

type Socket = Bun.Socket<BunConnection | undefined>

/** Smaller memory is left to the garbage collector: a release takes about 0.3 µs, as long as a fresh page of 4 KiB. */
const releasedBytesMin = 32_768

/**
 * Bun reads at most 512 KiB at once, and reads again in the same turn of the loop as long as it got nearly that much:
 * up to eleven times, and without end where no more than two sockets are ready. With this receive buffer it never does.
 */
const pieceBufferBytes = 212_992

let latestHost = ""
/** Returns the same text for connections from the same host, one after the other. */
const sharedHost = (host: string): string => (host === latestHost ? latestHost : (latestHost = host))

/** A socket of Bun's. Bun allocates memory for each chunk, so received bytes are passed on as they are. */
class BunConnection implements Closable, OutboxSocket {
  readonly id = nextConnectionId()
  readonly remote: Address
  isClosed = false
  listener: Listener | undefined
  private readonly outbox: Outbox
  private paused = false
  private ending = false
  /** Bytes that arrived after `pause`: Bun may have read them before it. */
  private held: Array<Uint8Array> | undefined

  constructor(
    private readonly socket: Socket,
    private readonly forget: (connection: BunConnection) => void
  ) {
    this.remote = { host: sharedHost(socket.remoteAddress), port: socket.remotePort }
    this.outbox = new Outbox(this, sharedMemory)
  }

  /** Read from the socket at each call, since few connections are asked; after the connection is closed it is empty. */
  get local(): Address {
    return { host: this.socket.localAddress, port: this.socket.localPort }
  }

  write(chunks: ReadonlyArray<Uint8Array>, taken?: () => void): number {
    return this.ending || this.isClosed ? 0 : this.outbox.write(chunks, taken)
  }
  /**
   * Transferring the memory out of its buffer frees it at once, so that the next chunk is allocated in the same place.
   */
  release(bytes: Uint8Array): void {
    // A small array makes its buffer when it is first asked for one.
    if (bytes.length < releasedBytesMin) return
    const { buffer } = bytes
    if (bytes.length === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0)
  }
  pause(): void {
    if (this.paused || this.isClosed) return
    this.paused = true
    this.socket.pause()
  }
  resume(): void {
    if (!this.paused || this.isClosed) return
    this.paused = false
    const held = this.held ?? []
    this.held = undefined
    for (const bytes of held) this.received(bytes)
    if (!this.paused && !this.isClosed) this.socket.resume()
  }
  receiveInPieces(): void {
    const { fd } = this.socket as Socket & { readonly fd: number }
    if (!this.isClosed && fd >= 0) boundReceiveBuffer(fd, pieceBufferBytes)
  }
  end(): void {
    if (this.ending || this.isClosed) return
    this.ending = true
    this.outbox.flush()
    if (this.outbox.size === 0) this.socket.end()
    // A paused socket does not learn that its peer closed, and the listener takes no more bytes.
    else if (this.paused) this.socket.resume()
  }
  destroy(): void {
    if (this.isClosed) return
    this.ending = true
    this.socket.terminate()
  }

  received(bytes: Uint8Array): void {
    if (this.ending || this.isClosed) return
    if (this.paused) (this.held ??= []).push(bytes)
    else this.listener?.received(bytes)
  }
  writable(): void {
    this.outbox.flush()
    if (this.ending && this.outbox.size === 0) this.socket.end()
  }
  closed(cause: string | undefined): void {
    if (this.isClosed) return
    this.isClosed = true
    this.outbox.clear()
    this.held = undefined
    this.forget(this)
    // Bun calls this from within `end` too; a caller does not expect its listener to be called meanwhile.
    queueMicrotask(() => (cause === undefined ? this.listener?.closed() : this.listener?.closed(cause)))
  }
  send(bytes: Uint8Array): number {
    return this.socket.write(bytes)
  }
  drained(): void {
    if (!this.ending) this.listener?.drained()
  }
}

const handlers = (open: (connection: BunConnection) => Listener | undefined, forget: (connection: BunConnection) => void) => ({
  binaryType: "uint8array" as const,
  open(socket: Socket) {
    const connection = new BunConnection(socket, forget)
    socket.data = connection
    socket.setNoDelay(true)
    connection.listener = open(connection)
  },
  data(socket: Socket, bytes: Uint8Array) {
    socket.data?.received(bytes)
  },
  drain(socket: Socket) {
    socket.data?.writable()
  },
  close(socket: Socket, cause?: Error) {
    socket.data?.closed(cause?.message)
  },
  error(socket: Socket, cause: Error) {
    socket.data?.closed(cause.message)
    socket.terminate()
  }
})

const listen = (address: Address, accept: (connection: Connection) => Listener) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        const accepted = new Set<BunConnection>()
        const open = (connection: BunConnection): Listener => {
          accepted.add(connection)
          return accept(connection)
        }
        const socket = handlers(open, (connection) => accepted.delete(connection))
        return { server: Bun.listen<BunConnection | undefined>({ hostname: address.host, port: address.port, data: undefined, socket }), accepted }
      },
      catch: (cause) => listenFault(address, cause)
    }),
    ({ server, accepted }) =>
      Effect.suspend(() => {
        server.stop(false)
        return endAll(accepted)
      })
  ).pipe(Effect.map(({ server }): Address => ({ host: address.host, port: server.port })))

const connect = (address: Address, timeoutMs: number, opened: (connection: Connection) => Listener) =>
  connecting<BunConnection, ConnectFault>(address, timeoutMs, opened, connectFault, ({ accepted, failed }) => {
    const socket = { ...handlers(accepted, () => {}), connectError: (_socket: Socket, cause: Error) => failed(cause) }
    // The promise repeats what the handlers report.
    Bun.connect<BunConnection | undefined>({ hostname: address.host, port: address.port, data: undefined, socket }).catch(failed)
    // Bun cannot cancel an attempt: if it still succeeds, the connection is closed at once.
    return () => {}
  })

/** Loaded when it is used: a start without TLS does not pay for node:tls. */
const connectTls: Transport["Type"]["connectTls"] = (address, tls, timeoutMs, opened) =>
  Effect.flatMap(
    Effect.promise(() => import("./tls.ts")),
    (module) => module.connectTls(address, tls, timeoutMs, opened)
  )

/** TCP by Bun's own sockets, which are the fastest under Bun; TLS by node:tls, which verifies the host of a certificate. */
export const layerBun: Layer.Layer<Transport> = Layer.succeed(Transport, { listen, connect, connectTls })
