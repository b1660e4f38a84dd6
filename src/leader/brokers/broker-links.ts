import { type Broker, brokerOf, type Cluster } from "../../../domain/cluster/state.ts"
import type { KafkaError, Rejection } from "../../../domain/kernel/error-code.ts"
import type { RequestContext } from "../../wire/route.ts"
import type { RegisteredBroker, Session } from "../../wire/session.ts"

/** The connections of one registration. */
interface Links {
  readonly epoch: number
  readonly sessions: Set<Session>
  isLeaving: boolean
}

const unauthorized = (message: string): Rejection => ({ error: "CLUSTER_AUTHORIZATION_FAILED" satisfies KafkaError, message })

/** What is told of the connections of brokers. */
interface LinkWatcher {
  /** A registration has its first connection. */
  readonly registered: (broker: RegisteredBroker) => void
  /** The last connection of a registration has closed. */
  readonly lost: (broker: RegisteredBroker) => void
}

/**
 * The connections of registered brokers: each begins with the registration of a process under its secret incarnation id. What only a broker may ask
 * (heartbeats, Envelopes, producer ids) is taken from these alone; the epoch is no secret, since it is in the journal.
 */
export class BrokerLinks {
  private readonly byBroker = new Map<number, Links>()

  constructor(private readonly watcher: LinkWatcher) {}

  /** Binds the session to this registration, whose process has shown its incarnation id. Sessions of an earlier registration count as clients' from now on. */
  bind(session: Session, broker: RegisteredBroker): void {
    // A broker that registers once more on the same connection: what it was before ends first.
    session.unbind()
    const before = this.byBroker.get(broker.id)
    const links = before?.epoch === broker.epoch ? before : { epoch: broker.epoch, sessions: new Set<Session>(), isLeaving: false }
    this.byBroker.set(broker.id, links)
    if (before !== links) for (const other of [...(before?.sessions ?? [])]) other.unbind()
    links.sessions.add(session)
    session.bind(broker, () => {
      links.sessions.delete(session)
      if (links.sessions.size > 0 || this.byBroker.get(broker.id) !== links) return
      this.byBroker.delete(broker.id)
      this.watcher.lost(broker)
    })
    if (before?.epoch !== broker.epoch) this.watcher.registered(broker)
  }

  /** Whether the broker said last that it stops: its connections will close, and do not hold its id any more. */
  leaving(id: number, isLeaving: boolean): void {
    const links = this.byBroker.get(id)
    if (links !== undefined) links.isLeaving = isLeaving
  }

  /** Whether the process that is registered under the id has a connection, and did not say that it stops. */
  isConnected(id: number): boolean {
    return this.byBroker.get(id)?.isLeaving === false
  }

  /** The broker at the other end, if its registration stands. */
  brokerOf({ session }: RequestContext, cluster: Cluster): Broker | undefined {
    const shown = session.broker
    const broker = shown === undefined ? undefined : brokerOf(cluster, shown.id)
    return broker?.epoch === shown?.epoch ? broker : undefined
  }

  /** Why the caller may not speak for broker `id`; undefined where it may. */
  refusal(context: RequestContext, cluster: Cluster, id: number): Rejection | undefined {
    return this.brokerOf(context, cluster)?.id === id
      ? undefined
      : unauthorized(`${context.actor} may not speak for broker ${id}: it has not registered on this connection as that broker's process.`)
  }
}
