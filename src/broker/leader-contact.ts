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
    /** The candidate that this broker takes for the leader; another one after a connection that failed. */
    readonly leader: () => Address
    /** Whether there are several candidates. */
    readonly hasCandidates: boolean
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
      const { config, leader: first, nodeId, otherLeaders = [] } = yield* BrokerSettings
      const candidates = new Candidates([first, ...otherLeaders])
      const { identify } = yield* BrokerIdentity
      const transport = yield* Transport
      const bounds = { connectTimeoutMs, requestTimeoutMs, responseBytesMax: config["socket.request.max.bytes"], inFlightRequestsMax }
      const open = (purpose: string) =>
        Effect.suspend(() => {
          const leader = candidates.current
          return Effect.provideService(connect(leader, { clientId: `broker-${nodeId}-${purpose}`, ...bounds }), Transport, transport).pipe(
            Effect.tapError(() => Effect.sync(() => candidates.leave(leader)))
          )
        })
      const log = reachability(candidates)
      return {
        leader: () => candidates.current,
        hasCandidates: otherLeaders.length > 0,
        requestTimeoutMs,
        openAsBroker: (purpose) => Effect.tap(open(purpose), identify),
        introduce: (link) => Effect.catchTag(identify(link), "LeaderRefused", () => Effect.void),
        keep: (purpose, use) => repeated(open(purpose), candidates, log, use)
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
const backoffTo = (msMax: number) => Schedule.exponential(retryMsMin).pipe(Schedule.union(Schedule.spaced(msMax)), Schedule.jitteredWith(jitter))
/** The maximum where there are several candidates, which are asked in turn. */
const nextCandidateMs = 500
const afterLoss = Schedule.spaced(retryMsMin).pipe(Schedule.jitteredWith(jitter))

/** The candidates for the leader's role. All connections of the broker go to the same one. */
class Candidates {
  private at = 0
  readonly backoff: ReturnType<typeof backoffTo>

  constructor(private readonly all: readonly [Address, ...ReadonlyArray<Address>]) {
    this.backoff = backoffTo(all.length > 1 ? nextCandidateMs : retryMsMax)
  }

  get current(): Address {
    return this.all[this.at] as Address
  }
  get addresses(): string {
    return this.all.map(formatAddress).join(" or ")
  }
  /** Goes to the next one, unless another connection has done so already. */
  leave(from: Address): void {
    if (this.current === from) this.at = (this.at + 1) % this.all.length
  }
}

/** Logs one line when the leader is unreachable, and one when the broker has reconnected, whatever the number of connections. */
interface Reachability {
  readonly reached: Effect.Effect<void>
  readonly lost: (fault: LinkFault) => Effect.Effect<void>
}

const reachability = (candidates: Candidates): Reachability => {
  const { addresses } = candidates
  let isReached: boolean | undefined
  const lost = (fault: LinkFault): Effect.Effect<void> => {
    const before = isReached
    isReached = false
    if (before === false) return Effect.void
    return Effect.logWarning(
      before === undefined
        ? `Waiting for the leader at ${addresses}: ${fault.message}`
        : `The connection to the leader at ${addresses} is lost; reconnecting: ${fault.message}`
    )
  }
  const reached = Effect.suspend(() => {
    const before = isReached
    isReached = true
    const line = `Connected to the leader at ${formatAddress(candidates.current)}.`
    // At level INFO only if the loss was logged before.
    return before === true ? Effect.void : before === false ? Effect.logInfo(line) : Effect.logDebug(line)
  })
  return { reached, lost: (fault) => Effect.suspend(() => lost(fault)) }
}

const repeated = (
  open: Effect.Effect<Link, LinkFault, Scope.Scope>,
  candidates: Candidates,
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
      const leader = candidates.current
      // A candidate that refuses does not lead, or does not lead any more.
      const leave = () => Effect.sync(() => candidates.leave(leader))
      return Effect.tapErrorTag(Effect.scoped(Effect.flatMap(open, used)), "LeaderRefused", leave)
    }).pipe(
      // Only a fault of the broker ends the attempts, so that it is their result.
      Effect.catchTag("BrokerFault", (fault) => Effect.succeed(fault)),
      Effect.tapError(logFault)
    )
    // The loss of an open connection resets the pause to its minimum. A refusal does not, since the leader may repeat
    // it for long.
    const untilLost = Effect.retry(attempt, { schedule: candidates.backoff, while: ({ _tag }) => !wasOpen || _tag === "LeaderRefused" })
    return Effect.retry(untilLost, afterLoss).pipe(Effect.orDie, Effect.flatMap(Effect.fail))
  })
