import { Context, Effect, Layer, Schedule, type Scope } from "effect"
import { type Address, type ConnectFault, formatAddress, Transport } from "../ports/transport.ts"
import type { CallFault } from "../wire/fault.ts"
import { connect, type Link } from "../wire/link.ts"
import { BrokerIdentity } from "./broker-identity.ts"
import { BrokerSettings } from "./broker-settings.ts"
import type { BrokerFault, LeaderRefused } from "./fault.ts"

type LinkFault = ConnectFault | CallFault
type ContactFault = LinkFault | LeaderRefused

/** Connects this broker to its leader. */
export class LeaderContact extends Context.Tag("comanche-franz/broker/LeaderContact")<
  LeaderContact,
  {
    readonly leader: Address
    /** How long the broker waits for a response that the leader sends at once, ms. */
    readonly requestTimeoutMs: number
    /**
     * Opens a connection until the scope closes, and identifies the broker on it, so that the leader accepts the
     * requests that only a broker may send. `purpose` is part of the client id, which the leader logs.
     */
    readonly openAsBroker: (purpose: string) => Effect.Effect<Link, ContactFault, Scope.Scope>
    /**
     * Identifies the broker on `link` if it has registered already: the leader does not count a broker's connection in
     * its limits.
     */
    readonly introduce: (link: Link) => Effect.Effect<void, CallFault>
    /**
     * Runs `use` on a connection, and repeats it on a new one whenever it fails. Ends by interruption or with a
     * BrokerFault of `use`.
     */
    readonly keep: (purpose: string, use: (link: Link) => Effect.Effect<never, ContactFault | BrokerFault>) => Effect.Effect<never, BrokerFault>
  }
>() {
  static readonly layer: Layer.Layer<LeaderContact, never, BrokerSettings | BrokerIdentity | Transport> = Layer.effect(
    LeaderContact,
    Effect.gen(function* () {
      const { config, leader, nodeId } = yield* BrokerSettings
      const { identify } = yield* BrokerIdentity
      const transport = yield* Transport
      const bounds = { connectTimeoutMs, requestTimeoutMs, responseBytesMax: config["socket.request.max.bytes"], inFlightRequestsMax }
      const open = (purpose: string) => Effect.provideService(connect(leader, { clientId: `broker-${nodeId}-${purpose}`, ...bounds }), Transport, transport)
      const log = reachability(leader)
      return {
        leader,
        requestTimeoutMs,
        openAsBroker: (purpose) => Effect.tap(open(purpose), identify),
        introduce: (link) => Effect.catchTag(identify(link), "LeaderRefused", () => Effect.void),
        keep: (purpose, use) => repeated(open(purpose), log, use)
      }
    })
  )
}

const connectTimeoutMs = 3000
const requestTimeoutMs = 10_000
/** Requests of this broker in flight on one connection. */
const inFlightRequestsMax = 1000
/**
 * The pause between two attempts: it doubles from the minimum to the maximum, with jitter so that brokers do not
 * reconnect all at once.
 */
const retryMsMin = 50
const retryMsMax = 2000
const jitter = { min: 0.5, max: 1 }
const backoff = Schedule.exponential(retryMsMin).pipe(Schedule.union(Schedule.spaced(retryMsMax)), Schedule.jitteredWith(jitter))
const afterLoss = Schedule.spaced(retryMsMin).pipe(Schedule.jitteredWith(jitter))

/** Logs one line when the leader is unreachable, and one when the broker has reconnected, whatever the number of connections. */
interface Reachability {
  readonly reached: Effect.Effect<void>
  readonly lost: (fault: LinkFault) => Effect.Effect<void>
}

const reachability = (leader: Address): Reachability => {
  const address = formatAddress(leader)
  let isReached: boolean | undefined
  const lost = (fault: LinkFault): Effect.Effect<void> => {
    const before = isReached
    isReached = false
    if (before === false) return Effect.void
    return Effect.logWarning(
      before === undefined
        ? `Waiting for the leader at ${address}: ${fault.message}`
        : `The connection to the leader at ${address} is lost; reconnecting: ${fault.message}`
    )
  }
  const reached = Effect.suspend(() => {
    const before = isReached
    isReached = true
    const line = `Connected to the leader at ${address}.`
    // At level INFO only if the loss was logged before.
    return before === true ? Effect.void : before === false ? Effect.logInfo(line) : Effect.logDebug(line)
  })
  return { reached, lost: (fault) => Effect.suspend(() => lost(fault)) }
}

const repeated = (
  open: Effect.Effect<Link, LinkFault, Scope.Scope>,
  log: Reachability,
  use: (link: Link) => Effect.Effect<never, ContactFault | BrokerFault>
): Effect.Effect<never, BrokerFault> =>
  Effect.suspend(() => {
    let wasOpen = false
    let lastRefusal: string | undefined
    const logFault = (fault: ContactFault): Effect.Effect<void> => {
      if (fault._tag !== "LeaderRefused") return log.lost(fault)
      if (lastRefusal === fault.message) return Effect.void
      lastRefusal = fault.message
      return Effect.logWarning(fault.message)
    }
    const used = (link: Link) => {
      wasOpen = true
      return Effect.zipRight(log.reached, use(link))
    }
    const attempt = Effect.suspend(() => {
      wasOpen = false
      return Effect.scoped(Effect.flatMap(open, used))
    }).pipe(
      // Only a fault of the broker ends the attempts, so that it is their result.
      Effect.catchTag("BrokerFault", (fault) => Effect.succeed(fault)),
      Effect.tapError(logFault)
    )
    // The loss of an open connection resets the pause to its minimum. A refusal does not, since the leader may repeat
    // it for long.
    const untilLost = Effect.retry(attempt, { schedule: backoff, while: ({ _tag }) => !wasOpen || _tag === "LeaderRefused" })
    return Effect.retry(untilLost, afterLoss).pipe(Effect.orDie, Effect.flatMap(Effect.fail))
  })
