import { Effect, Either, LogLevel } from "effect"
import { type Broker, brokerOf } from "../../../domain/cluster/state.ts"
import { type Address, type ConnectFault, type Connection, formatAddress, Transport } from "../../ports/transport.ts"
import type { RegisteredBroker } from "../../wire/session.ts"
import { ClusterStream } from "../journal/cluster-stream.ts"
import { LeaderSettings } from "../settings.ts"
import { LeaderBrokers } from "./brokers.ts"
import { afterFencing, fenceAll, type Watching } from "./fencing.ts"

const connectTimeoutMs = 1000
/** The pause between the two connections that have to be refused, ms: a process that is replaced at its address may not listen yet. */
const againMs = 250
const probesMax = 16

const ignores = (connection: Connection) => ({ received: connection.release, drained: () => undefined, closed: () => undefined })

/** Connects, and closes the connection at once. Fails where the address cannot be reached. */
const probe = (address: Address): Effect.Effect<void, ConnectFault, Transport> =>
  Effect.scoped(Effect.flatMap(Transport, (transport) => Effect.asVoid(transport.connect(address, connectTimeoutMs, ignores))))

/** Whether no process listens there. A connection that times out proves nothing. */
const isRefused = (address: Address): Effect.Effect<boolean, never, Transport> =>
  Effect.map(Effect.either(probe(address)), (outcome) => Either.isLeft(outcome) && outcome.left.code === "ECONNREFUSED")

/** The registration, if it stands. */
const standing = ({ epoch, id }: RegisteredBroker): Effect.Effect<Broker | undefined, never, ClusterStream> =>
  Effect.map(ClusterStream, ({ writer }) => {
    const broker = brokerOf(writer.state(), id)
    return broker?.epoch === epoch ? broker : undefined
  })

/** Looks whether the broker can be reached at its advertised address. */
const lookAt = (registered: RegisteredBroker): Effect.Effect<void, never, Watching | Transport> =>
  Effect.gen(function* () {
    const { changes, probes } = yield* LeaderBrokers
    const broker = yield* standing(registered)
    if (broker === undefined) return
    const reached = yield* Effect.either(probe(broker))
    if (Either.isRight(reached)) return probes.wasReached(registered)
    if ((yield* standing(registered)) === undefined) return
    const name = `broker ${broker.id}`
    yield* changes.log(
      LogLevel.Warning,
      `${name} address`,
      `${name} registered with the address ${formatAddress(broker)}, which the leader cannot reach: other brokers and clients may not reach it either. Look at advertised.listeners of that broker. ${reached.left.message}`
    )
  })

/** Fences a broker that lost its connections, where its address refuses two connections one after the other. */
const fenceGone = (registered: RegisteredBroker): Effect.Effect<void, never, Watching | Transport> =>
  Effect.gen(function* () {
    const { changes, links, probes } = yield* LeaderBrokers
    const isGone = Effect.gen(function* () {
      const broker = yield* standing(registered)
      if (broker === undefined || broker.fenced || links.isConnected(broker.id)) return undefined
      return (yield* isRefused(broker)) ? broker : undefined
    })
    if (!probes.isReachable(registered) || (yield* isGone) === undefined) return
    yield* Effect.sleep(againMs)
    const broker = yield* isGone
    if (broker === undefined) return
    const fenced = yield* fenceAll([broker], "no process listens at its address")
    if (fenced.length === 0) return
    const name = `broker ${broker.id} at ${formatAddress(broker)}`
    yield* changes.log(LogLevel.Warning, name, `${name} is gone, since its address refuses connections: fenced. ${afterFencing}`)
  })

/** Probes the addresses of brokers that register, and of those that lose their connections. */
export const probeBrokers: Effect.Effect<never, never, Watching | LeaderSettings | Transport> = Effect.gen(function* () {
  const { probes } = yield* LeaderBrokers
  const { nodeId } = yield* LeaderSettings
  const turns = yield* Effect.makeSemaphore(probesMax)
  const one = Effect.flatMap(probes.next, (event) =>
    // The broker in the leader's own process ends with it.
    event.id === nodeId ? Effect.void : Effect.fork(turns.withPermits(1)(event.kind === "registered" ? lookAt(event) : fenceGone(event)))
  )
  return yield* Effect.forever(one)
})
