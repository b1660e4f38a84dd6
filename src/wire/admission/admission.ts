import type { Connection } from "../../ports/transport.ts"
import { ApiVersions } from "../../protocol/message/18-api-versions.ts"
import { BrokerRegistration } from "../../protocol/message/62-broker-registration.ts"
import type { Session } from "../session.ts"
import { type OwnLinks, plainHost } from "./own-links.ts"

/** The bounds on a server's connections. The server reads each when a connection opens, so that an operator can change it at run time. */
export interface AdmissionOptions {
  /** Connections at a time. Kafka's `max.connections`. */
  readonly connectionsMax: number
  /** Connections from one address at a time. Kafka's `max.connections.per.ip` and its overrides; default: no bound. */
  readonly connectionsPerHostMax?: ((host: string) => number) | undefined
  /** Connections of this machine beyond these bounds, so that its operator is never locked out. Default 0. */
  readonly localConnectionsReserved?: number | undefined
}

/** Connections over the bounds that may still prove to be links between nodes; a further one closes the oldest. */
const undecidedMax = 64
/** Seconds within which they must prove it. */
const undecidedSeconds = 2
/** Links of one broker that do not count against the bounds: its two links, one for relayed requests, and some that are about to be replaced. */
const brokerLinksMax = 8
/** The API keys that a broker sends on a new connection before it has registered. */
const introductions: ReadonlySet<number> = new Set([ApiVersions.key, BrokerRegistration.key])
const loopback = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/

/** Whether the peer is on this machine: a connection over the network cannot come from an address of our own. */
const isLocal = ({ local, remote }: Connection): boolean => loopback.test(plainHost(remote.host)) || plainHost(remote.host) === plainHost(local.host)

/**
 * How one connection counts. `undecided`: it is over the bounds, and is closed unless its first bytes or its first requests show that it is a link between nodes.
 * `link`: it is one of this process, and is never held back. `broker`: a registered broker has shown that the connection is its own.
 */
type Kind = "counted" | "reserved" | "undecided" | "link" | "broker"

/** One connection, as the bounds count it. */
export class AdmittedConnection {
  private age = 0
  private isKnown = false
  private brokerId: number | undefined

  constructor(
    private readonly admission: Admission,
    private readonly connection: Connection,
    private readonly session: Session,
    private kind: Kind,
    /** Closes an undecided connection and names the bound that it exceeds. Undefined for every other kind. */
    private readonly close: (() => void) | undefined
  ) {}

  /** A link of this process: it is never held back. */
  get isLink(): boolean {
    return this.kind === "link"
  }
  /** A link between nodes. */
  get isNode(): boolean {
    return this.kind === "link" || this.kind === "broker"
  }
  get isUndecided(): boolean {
    return this.kind === "undecided"
  }

  /** Called with the first bytes: this process has noted its own link by then. */
  begun(): void {
    if (this.isKnown) return
    this.isKnown = true
    if (this.admission.isOwn(this.connection)) this.become("link")
  }
  /** Closes an undecided connection that sends a request which no broker sends before it registers. Returns whether it closed the connection. */
  refuses(apiKey: number): boolean {
    this.look()
    return this.isUndecided && !introductions.has(apiKey) && this.giveUp()
  }
  /** Called once a second: closes a connection that has been undecided for too long. Returns whether it closed the connection. */
  turn(): boolean {
    this.look()
    return this.isUndecided && ++this.age > undecidedSeconds && this.giveUp()
  }
  giveUp(): true {
    this.close?.()
    return true
  }
  leave(): void {
    this.admission.leave(this.kind, this)
    if (this.brokerId !== undefined) this.admission.brokerLeaves(this.brokerId)
  }

  /** Follows the session: a broker may have registered on the connection, or its registration may have been replaced. */
  private look(): void {
    const id = this.session.broker?.id
    if (id === this.brokerId) return
    if (this.brokerId !== undefined) {
      this.admission.brokerLeaves(this.brokerId)
      this.brokerId = undefined
      this.become("counted")
    }
    if (id === undefined || this.kind === "link" || !this.admission.brokerEnters(id)) return
    this.brokerId = id
    this.become("broker")
  }
  private become(kind: Kind): void {
    this.admission.leave(this.kind, this)
    this.kind = kind
    this.admission.enters(kind, this)
  }
  /** The client's address, for the bound per address. */
  get host(): string {
    return plainHost(this.connection.remote.host)
  }
}

/**
 * Which connections a server keeps open (Kafka's max.connections and max.connections.per.ip). The links of this process do not count, nor some of each registered broker,
 * which has shown that they are its own; some connections are reserved for this machine.
 */
export class Admission {
  private counted = 0
  private reserved = 0
  private readonly byHost = new Map<string, number>()
  private readonly byBroker = new Map<number, number>()
  private readonly undecided = new Set<AdmittedConnection>()

  constructor(
    private readonly options: AdmissionOptions,
    private readonly links: OwnLinks
  ) {}

  /** Counts a new connection. `close` closes the connection and logs the reason. */
  enter(connection: Connection, session: Session, close: (reason: string) => void): AdmittedConnection {
    const over = this.bound(plainHost(connection.remote.host))
    const isReserved = over !== undefined && isLocal(connection) && this.reserved < (this.options.localConnectionsReserved ?? 0)
    const kind: Kind = this.isOwn(connection) ? "link" : over === undefined ? "counted" : isReserved ? "reserved" : "undecided"
    const [oldest] = this.undecided
    if (kind === "undecided" && this.undecided.size >= undecidedMax) oldest?.giveUp()
    const admitted = new AdmittedConnection(this, connection, session, kind, kind === "undecided" ? () => close(over ?? "") : undefined)
    this.enters(kind, admitted)
    return admitted
  }
  /** Counts a connection under its kind. */
  enters(kind: Kind, admitted: AdmittedConnection): void {
    if (kind === "counted") this.count(admitted.host, 1)
    else if (kind === "reserved") this.reserved++
    else if (kind === "undecided") this.undecided.add(admitted)
  }
  /** Stops counting a connection under its kind. */
  leave(kind: Kind, admitted: AdmittedConnection): void {
    if (kind === "counted") this.count(admitted.host, -1)
    else if (kind === "reserved") this.reserved--
    else if (kind === "undecided") this.undecided.delete(admitted)
  }

  isOwn(connection: Connection): boolean {
    return this.links.has(connection)
  }
  /** Returns whether a further link of that broker is exempt from the bounds. */
  brokerEnters(id: number): boolean {
    const links = this.byBroker.get(id) ?? 0
    if (links >= brokerLinksMax) return false
    this.byBroker.set(id, links + 1)
    return true
  }
  brokerLeaves(id: number): void {
    change(this.byBroker, id, -1)
  }

  /** Returns the bound that a further connection would exceed, if any. */
  private bound(host: string): string | undefined {
    const { connectionsMax, connectionsPerHostMax } = this.options
    if (this.counted >= connectionsMax) return `is one over max.connections=${connectionsMax}`
    const most = connectionsPerHostMax?.(host) ?? Number.POSITIVE_INFINITY
    return (this.byHost.get(host) ?? 0) >= most ? `is one over the ${most} connections that max.connections.per.ip allows to ${host}` : undefined
  }
  private count(host: string, by: 1 | -1): void {
    this.counted += by
    change(this.byHost, host, by)
  }
}

const change = <K>(counts: Map<K, number>, key: K, by: 1 | -1): void => {
  const count = (counts.get(key) ?? 0) + by
  if (count > 0) counts.set(key, count)
  else counts.delete(key)
}
