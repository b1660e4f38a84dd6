import { Data, Effect, Random, type Scope } from "effect"
import { type Address, type ConnectFault, formatAddress, type Transport } from "../ports/transport.ts"
import type { CallFault } from "../wire/fault.ts"
import { connect, type Link } from "../wire/link.ts"
import { BrokerFault } from "./fault.ts"

/**
 * The leader answered with an error that may pass: the broker retries after a pause. The message is a log line for the
 * operator.
 */
export class LeaderRefused extends Data.TaggedError("LeaderRefused")<{ readonly message: string }> {}

export const leaderRefused = (message: string): Effect.Effect<never, LeaderRefused> => Effect.fail(new LeaderRefused({ message }))

interface LeaderContactOptions {
  readonly nodeId: number
  readonly leader: Address
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly responseBytesMax: number
}

type ContactFault = ConnectFault | CallFault | LeaderRefused

/**
 * The pause between two attempts: it doubles from the minimum to the maximum, with jitter so that brokers do not
 * reconnect all at once.
 */
const retryMsMin = 50
const retryMsMax = 2000
/** Requests of this broker in flight on one connection. */
const inFlightMax = 1000

/**
 * Connects this broker to its leader, and logs one line when the connection is lost and one when the broker has
 * reconnected.
 */
export class LeaderContact {
  private reached: boolean | undefined
  /**
   * Identifies the broker on a new connection; the registration sets it. Without it the leader treats a connection as a
   * client's.
   */
  identify: (link: Link) => Effect.Effect<void, CallFault | LeaderRefused> = () => Effect.void

  constructor(readonly options: LeaderContactOptions) {}

  /** Opens a connection until the scope closes. `purpose` is part of the client id, which the leader logs. */
  open(purpose: string): Effect.Effect<Link, ConnectFault | CallFault, Transport | Scope.Scope> {
    const { connectTimeoutMs, leader, nodeId, requestTimeoutMs, responseBytesMax } = this.options
    return connect(leader, { clientId: `broker-${nodeId}-${purpose}`, connectTimeoutMs, requestTimeoutMs, responseBytesMax, inFlightRequestsMax: inFlightMax })
  }

  /**
   * Identifies the broker on `link` if it has registered already: the leader does not count a broker's connection in
   * its limits.
   */
  introduce(link: Link): Effect.Effect<void, CallFault> {
    return Effect.catchTag(this.identify(link), "LeaderRefused", () => Effect.void)
  }

  /**
   * Opens a connection and identifies the broker on it, so that the leader accepts the requests that only a broker may
   * send.
   */
  openAsBroker(purpose: string): Effect.Effect<Link, ConnectFault | CallFault | LeaderRefused, Transport | Scope.Scope> {
    return Effect.tap(this.open(purpose), (link) => this.identify(link))
  }

  /**
   * Runs `use` on a connection, and repeats it on a new one whenever it fails. Ends by interruption or with a
   * BrokerFault of `use`.
   */
  keep(purpose: string, use: (link: Link) => Effect.Effect<never, ContactFault | BrokerFault>): Effect.Effect<never, BrokerFault, Transport> {
    let wasOpen = false
    const attempt = Effect.scoped(
      Effect.flatMap(this.open(purpose), (link) => {
        wasOpen = true
        return Effect.zipRight(this.logReached, use(link))
      })
    )
    let lastRefusal: string | undefined
    const logRefusal = (fault: LeaderRefused): Effect.Effect<void> => {
      if (lastRefusal === fault.message) return Effect.void
      lastRefusal = fault.message
      return Effect.logWarning(fault.message)
    }
    const retry = (fault: ContactFault, waitMs: number): Effect.Effect<never, BrokerFault, Transport> =>
      (fault._tag === "LeaderRefused" ? logRefusal(fault) : this.logLost(fault)).pipe(
        Effect.zipRight(Random.nextRange(waitMs / 2, waitMs)),
        Effect.flatMap((ms) => Effect.sleep(`${ms} millis`)),
        Effect.zipRight(attemptFrom(Math.min(waitMs * 2, retryMsMax)))
      )
    const attemptFrom = (waitMs: number): Effect.Effect<never, BrokerFault, Transport> =>
      Effect.suspend(() => {
        wasOpen = false
        // The loss of an open connection resets the pause to its minimum. A refusal does not, since the leader may
        // repeat it for long.
        return Effect.catchAll(attempt, (fault) =>
          fault instanceof BrokerFault ? Effect.fail(fault) : retry(fault, wasOpen && fault._tag !== "LeaderRefused" ? retryMsMin : waitMs)
        )
      })
    return attemptFrom(retryMsMin)
  }

  private readonly logReached = Effect.suspend(() => {
    const before = this.reached
    this.reached = true
    const line = `The leader at ${formatAddress(this.options.leader)} answers.`
    // At level INFO only if the loss was logged before.
    return before === true ? Effect.void : before === false ? Effect.logInfo(line) : Effect.logDebug(line)
  })

  private logLost(fault: ConnectFault | CallFault): Effect.Effect<void> {
    if (this.reached === false) return Effect.void
    const before = this.reached
    this.reached = false
    const address = formatAddress(this.options.leader)
    return Effect.logWarning(
      before === undefined
        ? `Waiting for the leader at ${address}: ${fault.message}`
        : `The connection to the leader at ${address} is lost; reconnecting: ${fault.message}`
    )
  }
}
