import type { Connection } from "../../ports/transport.ts"
import { ApiVersions } from "../../protocol/message/18-api-versions.ts"
import { BrokerRegistration } from "../../protocol/message/62-broker-registration.ts"
import type { Session } from "../session.ts"
import { type OwnLinks, plainHost } from "./own-links.ts"

/** What bounds the connections of a server. Each is read when a connection opens, so that it may change meanwhile. */
export interface AdmissionOptions {
  /** Connections at a time. Kafka's `max.connections`. */
  readonly connectionsMax: number
  /** Connections of one address at a time. Kafka's `max.connections.per.ip` and its overrides; default: no bound. */
  readonly connectionsPerHostMax?: ((host: string) => number) | undefined
  /** Connections of this machine beyond these bounds, so that its operator is never locked out. Default 0. */
  readonly localConnectionsReserved?: number | undefined
}

/** Connections over the bounds that may still show that they are a link between nodes; the oldest leaves for one more. */
const undecidedMax = 64
/** Seconds in which they must. */
const undecidedSeconds = 2
/** Links of one broker that do not count: it has two, one for requests that it relays, and some that are about to be replaced. */
const brokerLinksMax = 8
/** What a broker asks on a new connection before the leader knows that it is a broker's. */
const introductions: ReadonlySet<number> = new Set([ApiVersions.key, BrokerRegistration.key])
const loopback = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/

/** Whether the peer is on this machine: a connection over the network cannot come from an address of our own. */
const isLocal = ({ local, remote }: Connection): boolean => loopback.test(plainHost(remote.host)) || plainHost(remote.host) === plainHost(local.host)

/**
 * How one connection counts. `undecided`: it is over the bounds, and is closed unless its first bytes or its first requests show that it is a link between nodes.
 * `link`: it is one of this process, and is never held back. `broker`: a registered broker has shown that the connection is its own.
 */
type Kind = "counted" | "reserved" | "undecided" | "link" | "broker"

/** The place of one connection. */
export class Place {
  private age = 0
  private isKnown = false
  private brokerId: number | undefined

  constructor(
    private readonly admission: Admission,
    private readonly connection: Connection,
    private readonly session: Session,
    private kind: Kind,
    /** Closes one that is undecided, for the bound that it is over. Undefined for every other. */
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

  /** The first bytes came: by now a link of this process is known as one. */
  begun(): void {
    if (this.isKnown) return
    this.isKnown = true
    if (this.admission.isOwn(this.connection)) this.become("link")
  }
  /** An undecided connection asks something. Returns whether it was closed for that. */
  refuses(apiKey: number): boolean {
    this.look()
    return this.isUndecided && !introductions.has(apiKey) && this.giveUp()
  }
  /** A second has passed. Returns whether the connection was closed. */
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

  /** A broker may have shown that the connection is its own, or its registration may be gone. */
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
  /** The address that counts. */
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
  private readonly undecided = new Set<Place>()

  constructor(
    private readonly options: AdmissionOptions,
    private readonly links: OwnLinks
  ) {}

  /** The place of a new connection; `close` closes it for a reason. */
  enter(connection: Connection, session: Session, close: (reason: string) => void): Place {
    const over = this.bound(plainHost(connection.remote.host))
    const isReserved = over !== undefined && isLocal(connection) && this.reserved < (this.options.localConnectionsReserved ?? 0)
    const kind: Kind = this.isOwn(connection) ? "link" : over === undefined ? "counted" : isReserved ? "reserved" : "undecided"
    const [oldest] = this.undecided
    if (kind === "undecided" && this.undecided.size >= undecidedMax) oldest?.giveUp()
    const place = new Place(this, connection, session, kind, kind === "undecided" ? () => close(over ?? "") : undefined)
    this.enters(kind, place)
    return place
  }
  /** A connection is of that kind from now on. */
  enters(kind: Kind, place: Place): void {
    if (kind === "counted") this.count(place.host, 1)
    else if (kind === "reserved") this.reserved++
    else if (kind === "undecided") this.undecided.add(place)
  }
  /** A connection is not of that kind any more. */
  leave(kind: Kind, place: Place): void {
    if (kind === "counted") this.count(place.host, -1)
    else if (kind === "reserved") this.reserved--
    else if (kind === "undecided") this.undecided.delete(place)
  }

  isOwn(connection: Connection): boolean {
    return this.links.has(connection)
  }
  /** Whether one link more of that broker does not count. */
  brokerEnters(id: number): boolean {
    const links = this.byBroker.get(id) ?? 0
    if (links >= brokerLinksMax) return false
    this.byBroker.set(id, links + 1)
    return true
  }
  brokerLeaves(id: number): void {
    change(this.byBroker, id, -1)
  }

  /** Which bound one connection more would be over. */
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
