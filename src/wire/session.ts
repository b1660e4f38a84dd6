import { type Address, formatAddress } from "../ports/transport.ts"
import { actorOf } from "./connection/actor.ts"
import type { ResponseCapacity } from "./memory/response-budget.ts"

/** An authenticated identity, as Kafka's KafkaPrincipal. */
export interface Principal {
  readonly type: string
  readonly name: string
}
/** The principal of a client that has not authenticated, by Kafka's name. */
export const anonymous: Principal = { type: "User", name: "ANONYMOUS" }

/** The client library and its version, as the client states them in ApiVersions (KIP-511). */
export interface ClientSoftware {
  readonly name: string
  readonly version: string
}

/** A broker's registration in the journal. */
export interface RegisteredBroker {
  readonly id: number
  readonly epoch: number
}

/** The client behind a request that a node relays in an Envelope. */
export interface RelayedClient {
  readonly clientHost: string
  /** The connection of the Envelope. */
  readonly connectionId: number
  readonly actor: string
}

/**
 * What the server knows about the client of one connection: its address, listener, principal, client id and software, how long its requests are delayed, and the broker that has
 * registered on the connection, or the candidate that reports on it. Handlers read it from the request context. A request in an Envelope has a session of its own, on which no broker ever registers.
 */
export class Session {
  /** The client id that a session noted last. Connections of one client share its text. */
  private static latestClientId: string | null = null

  readonly principal: Principal = anonymous
  /** The client id of the last request; null before the first one. */
  clientId: string | null = null
  /** Undefined until the client has sent ApiVersions 3 or later. */
  software: ClientSoftware | undefined
  /** How long quotas delay this client, ms: the throttle time of its responses. 0: no delay. */
  throttleTimeMs = 0
  private registered: RegisteredBroker | undefined
  private hasRegistered = false
  private reporting: number | undefined
  private onUnbind: (() => void) | undefined
  private isClosed = false

  constructor(
    private readonly peer: { readonly id: number; readonly remote: Address },
    /** The name of the listener that accepted the connection; undefined for a listener without a name. */
    readonly listener?: string | undefined,
    /** Free bytes for responses to this client; undefined where the response is written to another connection. */
    readonly answers?: ResponseCapacity | undefined,
    private readonly relayedFor?: string
  ) {}

  static relayed({ clientHost, connectionId, actor }: RelayedClient): Session {
    return new Session({ id: connectionId, remote: { host: clientHost, port: 0 } }, undefined, undefined, actor)
  }

  /** Unique in this process. */
  get connectionId(): number {
    return this.peer.id
  }
  /** The client's address, without port. */
  get clientHost(): string {
    return this.peer.remote.host
  }
  /** The client's address and port, for logs. */
  get address(): string {
    return formatAddress(this.peer.remote)
  }
  /** Notes the client id of a request. */
  note(clientId: string | null): void {
    if (clientId === this.clientId) return
    if (clientId !== Session.latestClientId) Session.latestClientId = clientId
    this.clientId = Session.latestClientId
  }
  /** Client id and address, for logs and the journal. Formatted at each call: most requests need neither. */
  actorOf(clientId: string | null): string {
    return this.relayedFor ?? actorOf(clientId, this.address)
  }

  /** The broker that registered on this connection; undefined for a client, and for a broker whose registration was replaced. */
  get broker(): RegisteredBroker | undefined {
    return this.registered
  }
  /** Whether a broker has ever registered on this connection. One whose registration was replaced learns that from the handler, by its stale epoch. */
  get isBroker(): boolean {
    return this.hasRegistered
  }
  /** The node id of the candidate that reports on this connection. */
  get candidate(): number | undefined {
    return this.reporting
  }
  /** Notes the candidate that reports on this connection. */
  noteCandidate(nodeId: number): void {
    this.reporting = nodeId
  }
  /** Binds the session to a broker. `onUnbind` is called once: when the connection closes or the registration is replaced. A closed session calls it at once. */
  bind(broker: RegisteredBroker, onUnbind: () => void): void {
    this.unbind()
    if (this.isClosed) return onUnbind()
    this.registered = broker
    this.hasRegistered = true
    this.onUnbind = onUnbind
  }
  /** The registration was replaced. */
  unbind(): void {
    const { onUnbind } = this
    this.registered = this.onUnbind = undefined
    onUnbind?.()
  }
  /** The connection is closed. */
  close(): void {
    this.isClosed = true
    this.unbind()
  }
}
