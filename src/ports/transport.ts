import { Context, Data, type Effect, type Scope } from "effect"

/** A place to listen or to call: a host name or address, and a TCP port (0 to listen on a free one). */
export interface Address {
  readonly host: string
  readonly port: number
}
export const formatAddress = ({ host, port }: Address): string => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`)

/** The port cannot be listened on: in use, not allowed, or no such address here. */
export class ListenFault extends Data.TaggedError("ListenFault")<{ readonly address: Address; readonly code: string; readonly message: string }> {}
/** Nobody answers there: refused, unreachable, unknown host, or no answer in time. */
export class ConnectFault extends Data.TaggedError("ConnectFault")<{ readonly address: Address; readonly code: string; readonly message: string }> {}

/** One end of an open byte stream. Plain methods: they are called for every frame. */
export interface Connection {
  /** Unique in this process. */
  readonly id: number
  readonly remote: Address
  readonly local: Address
  /**
   * Takes the chunks over, in order; they are not touched again by the caller. Answers how many bytes wait in memory because the peer does not read:
   * the caller stops producing when that passes its bound and goes on at `drained`.
   * `taken` is called once when nobody looks at the chunks any more, perhaps before `write` returns; never on a connection that ends before, nor by a transport that
   * cannot say.
   */
  readonly write: (chunks: ReadonlyArray<Uint8Array>, taken?: () => void) => number
  /**
   * Gives back bytes that `received` handed over, or memory that the caller made: nobody looks at them any more, nor at anything else in the same memory, which
   * may hold other bytes from now on. A hint that may do nothing. Without it memory comes back with a garbage collection, long after it has left the processor's cache.
   */
  readonly release: (bytes: Uint8Array) => void
  /** Stops and restarts `received`; what the kernel holds stays there, so that the peer feels it. */
  readonly pause: () => void
  readonly resume: () => void
  /** Closes when everything written has been sent. */
  readonly end: () => void
  /** Closes now. */
  readonly destroy: () => void
}

/** What the owner of a connection does when something happens on it. Called on the event loop, must not throw. */
export interface Listener {
  /** The bytes are the receiver's from now on. */
  readonly received: (bytes: Uint8Array) => void
  /** All that waited was sent. */
  readonly drained: () => void
  /** Once, whoever closed it; nothing is called after it. `cause` is absent for an orderly end. */
  readonly closed: (cause?: string) => void
}

/** TCP, or what stands for it. Every adapter passes the suite in test/src/ports/transport.contract.ts. */
export class Transport extends Context.Tag("comanche-franz/Transport")<
  Transport,
  {
    /** Listens until the scope closes, which also closes the connections that were accepted. Answers the real address (port 0 resolved). */
    readonly listen: (address: Address, accept: (connection: Connection) => Listener) => Effect.Effect<Address, ListenFault, Scope.Scope>
    /** Connects within `timeoutMs`; the connection closes with the scope. */
    readonly connect: (address: Address, timeoutMs: number, open: (connection: Connection) => Listener) => Effect.Effect<Connection, ConnectFault, Scope.Scope>
  }
>() {}
