import { Context, Data, type Effect, type Redacted, type Scope } from "effect"
import type { TaggedErrorClass } from "./tagged-error.ts"

/** An address to listen on or to connect to: a host name or IP address, and a TCP port (0 to listen on a free one). */
export interface Address {
  readonly host: string
  readonly port: number
}
export const formatAddress = ({ host, port }: Address): string => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`)

const ListenFaultError: TaggedErrorClass<"ListenFault"> = Data.TaggedError("ListenFault")
/**
 * The port cannot be listened on: it is in use, it is not allowed for this user, or the address is not one of this
 * machine.
 */
export class ListenFault extends ListenFaultError<{ readonly address: Address; readonly code: string; readonly message: string }> {}
const ConnectFaultError: TaggedErrorClass<"ConnectFault"> = Data.TaggedError("ConnectFault")
/** The address cannot be reached: refused, unreachable, unknown host, or no answer in time. */
export class ConnectFault extends ConnectFaultError<{ readonly address: Address; readonly code: string; readonly message: string }> {}

const TlsFaultError: TaggedErrorClass<"TlsFault"> = Data.TaggedError("TlsFault")
/**
 * The address was reached, and no TLS connection came of it. `code` is the cause's code of OpenSSL or of the runtime:
 * CERT_HAS_EXPIRED, ERR_TLS_CERT_ALTNAME_INVALID …
 */
export class TlsFault extends TlsFaultError<{ readonly address: Address; readonly code: string; readonly message: string }> {}

/** What a client's end of TLS trusts and shows. */
export interface TlsSettings {
  /** The certification authorities that are trusted, PEM. Undefined: those of the runtime. */
  readonly ca: ReadonlyArray<string> | undefined
  /** The client's certificate and the chain to its authority, PEM. */
  readonly certificate: string | undefined
  readonly privateKey: Redacted.Redacted<string> | undefined
  readonly passphrase: Redacted.Redacted<string> | undefined
  /** The name that the peer's certificate must be valid for. Undefined: the host that is connected to. */
  readonly serverName: string | undefined
  /** False accepts any certificate. */
  readonly verify: boolean
}

/** One end of an open byte stream. Its methods are plain functions, since they are called for every frame. */
export interface Connection {
  /** Unique in this process. */
  readonly id: number
  readonly remote: Address
  readonly local: Address
  /**
   * Takes ownership of the chunks, in order; the caller does not touch them again. Returns how many bytes wait in
   * memory because the peer does not read: the caller stops writing when that passes its bound, and continues at
   * `drained`. `taken` is called once when the chunks are not used any more, perhaps before `write` returns; never on a
   * connection that ends before, nor by a transport that cannot tell.
   */
  readonly write: (chunks: ReadonlyArray<Uint8Array>, taken?: () => void) => number
  /**
   * Releases bytes that `received` handed over, or memory that the caller allocated. The caller uses neither them nor
   * anything else in the same memory afterwards, which may hold other bytes from then on. A hint that may do nothing.
   * Without it the memory is reused after a garbage collection, long after it has left the processor's cache.
   */
  readonly release: (bytes: Uint8Array) => void
  /** Stops and restarts `received`. Unread bytes stay in the kernel, so that TCP slows the peer down. */
  readonly pause: () => void
  readonly resume: () => void
  /**
   * Called when a long frame begins: from now on no turn of the event loop brings more than about half a megabyte of
   * this connection, so that ten such frames leave time for others. A hint; absent where that holds by itself.
   */
  readonly receiveInPieces?: (() => void) | undefined
  /** Closes after everything that was written has been sent. */
  readonly end: () => void
  /** Closes at once; bytes that were not sent are lost. */
  readonly destroy: () => void
}

/** The owner's callbacks of a connection. They are called on the event loop and must not throw. */
export interface Listener {
  /** The receiver owns the bytes. */
  readonly received: (bytes: Uint8Array) => void
  /** All bytes that waited were sent. */
  readonly drained: () => void
  /** The connection is closed, by either side. Called once, and last. `cause` is absent when the peer closed it cleanly. */
  readonly closed: (cause?: string) => void
}

/** TCP, or a simulation of it. Every adapter passes the suite in test/src/ports/transport.contract.ts. */
interface TransportService {
  /**
   * Listens until the scope closes, which also closes the accepted connections. Returns the address with the port
   * that it listens on.
   */
  readonly listen: (address: Address, accept: (connection: Connection) => Listener) => Effect.Effect<Address, ListenFault, Scope.Scope>
  /** Connects within `timeoutMs`; the connection closes with the scope. */
  readonly connect: (address: Address, timeoutMs: number, open: (connection: Connection) => Listener) => Effect.Effect<Connection, ConnectFault, Scope.Scope>
  /**
   * As `connect`, over TLS. The connection is opened when the peer's certificate is verified. A verb of its own, so
   * that no adapter can pass over the encryption.
   */
  readonly connectTls: (
    address: Address,
    tls: TlsSettings,
    timeoutMs: number,
    open: (connection: Connection) => Listener
  ) => Effect.Effect<Connection, ConnectFault | TlsFault, Scope.Scope>
}
const TransportTag: Context.TagClass<Transport, "comanche-franz/Transport", TransportService> = Context.Tag("comanche-franz/Transport")<
  Transport,
  TransportService
>()
/** See `TransportService`. */
export class Transport extends TransportTag {}
