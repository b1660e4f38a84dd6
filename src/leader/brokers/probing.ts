import { Effect, Either, FiberMap, LogLevel } from "effect"
import { type Broker, brokerOf, type Cluster, liveBrokers } from "../../../domain/cluster/state.ts"
import { type Address, type ConnectFault, type Connection, formatAddress, Transport } from "../../ports/transport.ts"
import type { RegisteredBroker } from "../../wire/session.ts"
import { ClusterStream } from "../journal/cluster-stream.ts"
import { LeaderSettings } from "../settings.ts"
import { LeaderBrokers } from "./brokers.ts"
import { afterFencing, fenceAll, type Watching } from "./fencing.ts"

const connectTimeoutMs = 1000
/** The pause between the two connections that have to be refused, ms: a process that is replaced at its address may not listen yet. */
const againMs = 250
/** The pause between looks at a broker that still accepts connections, ms: short at first, since the process may be ending. */
const stillThereMs = 1000
const quickLooks = 8
/** The pause between looks at a new registration's address that was not reached, ms: it doubles from the minimum to the maximum. */
const unreachedMsMin = 1000
const unreachedMsMax = 60_000

/** How long a new leader waits for the brokers of its journal to connect, ms, at most: they follow within half a second of its election. */
const unheardMsMax = 1000

const ignores = (connection: Connection) => ({ received: connection.release, drained: () => undefined, closed: () => undefined })

/** Connects, and closes the connection at once. Fails where the address cannot be reached. */
const probe = (address: Address): Effect.Effect<void, ConnectFault, Transport> =>
  Effect.scoped(Effect.flatMap(Transport, (transport) => Effect.asVoid(transport.connect(address, connectTimeoutMs, ignores))))

/** Whether no process listens there. A connection that times out proves nothing. */
export const isRefused = (address: Address): Effect.Effect<boolean, never, Transport> =>
  Effect.map(Effect.either(probe(address)), (outcome) => Either.isLeft(outcome) && outcome.left.code === "ECONNREFUSED")

/** The registration, if it stands. */
const standing = ({ epoch, id }: RegisteredBroker): Effect.Effect<Broker | undefined, never, ClusterStream> =>
  Effect.map(ClusterStream, ({ writer }) => {
    const broker = brokerOf(writer.state(), id)
    return broker?.epoch === epoch ? broker : undefined
  })

/** Looks until the broker is reached at its advertised address. One connection may fail because a machine is busy; the operator is told of the second. */
const lookAt = (registered: RegisteredBroker): Effect.Effect<void, never, Watching | Transport> =>
  Effect.gen(function* () {
    const { changes, probes } = yield* LeaderBrokers
    let pauseMs = unreachedMsMin
    for (let looks = 1; ; looks++) {
      const broker = yield* standing(registered)
      if (broker === undefined) return
      const reached = yield* probes.inTurn(Effect.either(probe(broker)))
      if (Either.isRight(reached)) return probes.wasReached(registered)
      if ((yield* standing(registered)) === undefined) return
      const name = `broker ${broker.id}`
      if (looks === 2)
        yield* changes.log(
          LogLevel.Warning,
          `${name} address`,
          `${name} registered with the address ${formatAddress(broker)}, which the leader cannot reach: other brokers and clients may not reach it either. Look at advertised.listeners of that broker. ${reached.left.message}`
        )
      yield* Effect.sleep(pauseMs)
      pauseMs = Math.min(unreachedMsMax, pauseMs * 2)
    }
  })

/**
 * Fences a broker that has no connection, where its address refuses two connections one after the other. It looks until the broker has a connection again or is
 * fenced, which its session sees to: a process that is killed may close its connections before its listener, so that the first look still reaches it.
 */
const fenceGone = (registered: RegisteredBroker): Effect.Effect<void, never, Watching | Transport> =>
  Effect.gen(function* () {
    const { changes, links, probes } = yield* LeaderBrokers
    const missing = Effect.map(standing(registered), (broker) => (broker?.fenced === false && !links.isConnected(broker.id) ? broker : undefined))
    for (let looks = 1, refusals = 0; ; looks++) {
      const before = yield* missing
      if (before === undefined) return
      const refused = yield* probes.inTurn(isRefused(before))
      refusals = refused ? refusals + 1 : 0
      if (refusals === 2) break
      yield* Effect.logDebug(`broker ${before.id} lost its connections; look ${looks} at ${formatAddress(before)}: ${refused ? "refused" : "not refused"}`)
      yield* Effect.sleep(refused || looks < quickLooks ? againMs : stillThereMs)
    }
    const broker = yield* missing
    if (broker === undefined) return
    const fenced = yield* fenceAll([broker], "no process listens at its address")
    if (fenced.length === 0) return
    const name = `broker ${broker.id} at ${formatAddress(broker)}`
    yield* changes.log(LogLevel.Warning, name, `${name} is gone, since its address refuses connections: fenced. ${afterFencing}`)
  })

/** Where the leader reached the broker since it registered, its address shows that its process ended. */
const fenceLost = (registered: RegisteredBroker) =>
  Effect.flatMap(LeaderBrokers, ({ probes }) => Effect.when(fenceGone(registered), () => probes.isReachable(registered)))

/**
 * The brokers at the host of the leader before this one that are live by the journal, and that do not connect to this leader: a process that was both ends as both, and leaves no
 * connection that could be lost. Whether their addresses were ever reached is not known here; a live broker that is fenced by mistake is back with its next heartbeat.
 */
const unheard = (before: Cluster["leader"]) =>
  Effect.gen(function* () {
    const { config, nodeId } = yield* LeaderSettings
    const { probes } = yield* LeaderBrokers
    const { writer } = yield* ClusterStream
    // A leader that starts again at its place may be ahead of the brokers that start with it.
    if (before === undefined || before.nodeId === nodeId) return []
    yield* Effect.sleep(Math.min(unheardMsMax, config["broker.session.timeout.ms"] / 8))
    return liveBrokers(writer.state()).filter((broker) => broker.host === before.host && !probes.wasHeard(broker))
  })

/**
 * Probes the addresses of brokers that register, of those that lose their connections, and of those that ended with the leader before this one. What happens to a broker ends the
 * looks that its last event began.
 */
export const probeBrokers = (before: Cluster["leader"]): Effect.Effect<never, never, Watching | LeaderSettings | Transport> =>
  Effect.gen(function* () {
    const { probes } = yield* LeaderBrokers
    const { nodeId } = yield* LeaderSettings
    const looking = yield* FiberMap.make<number, unknown>()
    // The broker in the leader's own process ends with it.
    const look = (id: number, looks: Effect.Effect<unknown, never, Watching | Transport>) => (id === nodeId ? Effect.void : FiberMap.run(looking, id, looks))
    const events = Effect.forever(Effect.flatMap(probes.next, (event) => look(event.id, event.kind === "registered" ? lookAt(event) : fenceLost(event))))
    const begin = Effect.flatMap(unheard(before), (brokers) => Effect.forEach(brokers, (broker) => look(broker.id, fenceGone(broker)), { discard: true }))
    return yield* Effect.zipRight(begin, events, { concurrent: true })
  }).pipe(Effect.scoped)
