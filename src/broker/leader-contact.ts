import { Data, Effect, Random, type Scope } from "effect"
import { type Address, type ConnectFault, formatAddress, type Transport } from "../ports/transport.ts"
import type { CallFault } from "../wire/fault.ts"
import { connect, type Link } from "../wire/link.ts"

import { BrokerFault } from "./fault.ts"

/** The leader answered, but not in a way that the caller can go on from; it is asked again after a while. The message is for a person. */
export class LeaderRefused extends Data.TaggedError("LeaderRefused")<{ readonly message: string }> {}
export const leaderRefused = (message: string): Effect.Effect<never, LeaderRefused> => Effect.fail(new LeaderRefused({ message }))

interface LeaderContactOptions {
  readonly nodeId: number
  readonly leader: Address
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly responseBytesMax: number
}

type Lost = ConnectFault | CallFault | LeaderRefused

/** Between two attempts: doubled from the first to the second, with some chance in it so that brokers do not come all at once. */
const retryMsMin = 50
const retryMsMax = 2000
/** Calls of this broker under way on one connection. */
const inFlightMax = 1000

/** How this broker reaches its leader, and what it tells a person about that: one line when the leader is lost, one when it is back. */
export class LeaderContact {
  private reached: boolean | undefined
  /** Shows the leader on a new connection whose it is; until that is known, a connection is a client's. */
  identify: (link: Link) => Effect.Effect<void, CallFault | LeaderRefused> = () => Effect.void

  constructor(readonly options: LeaderContactOptions) {}

  /** One connection, open until the scope closes. `purpose` tells the leader's log one connection of this broker from another. */
  open(purpose: string): Effect.Effect<Link, ConnectFault | CallFault, Transport | Scope.Scope> {
    const { connectTimeoutMs, leader, nodeId, requestTimeoutMs, responseBytesMax } = this.options
    return connect(leader, { clientId: `broker-${nodeId}-${purpose}`, connectTimeoutMs, requestTimeoutMs, responseBytesMax, inFlightRequestsMax: inFlightMax })
  }

  /** Shows whose the connection is where that is possible yet: a connection of a broker does not count in the leader's bounds. */
  introduce(link: Link): Effect.Effect<void, CallFault> {
    return Effect.catchTag(this.identify(link), "LeaderRefused", () => Effect.void)
  }

  /** One connection on which the leader knows this broker, so that it takes from it what only a broker may ask. */
  openAsBroker(purpose: string): Effect.Effect<Link, ConnectFault | CallFault | LeaderRefused, Transport | Scope.Scope> {
    return Effect.tap(this.open(purpose), (link) => this.identify(link))
  }

  /** Runs `use` over a connection, and again over a new one whenever it is lost, until the caller is interrupted. */
  keep(purpose: string, use: (link: Link) => Effect.Effect<never, Lost | BrokerFault>): Effect.Effect<never, BrokerFault, Transport> {
    let worked = false
    const attempt = Effect.scoped(
      Effect.flatMap(this.open(purpose), (link) => {
        worked = true
        return Effect.zipRight(this.isBack, use(link))
      })
    )
    let said: string | undefined
    const refused = (fault: LeaderRefused): Effect.Effect<void> => {
      if (said === fault.message) return Effect.void
      said = fault.message
      return Effect.logWarning(fault.message)
    }
    const again = (fault: Lost, waitMs: number): Effect.Effect<never, BrokerFault, Transport> =>
      (fault._tag === "LeaderRefused" ? refused(fault) : this.isLost(fault)).pipe(
        Effect.zipRight(Random.nextRange(waitMs / 2, waitMs)),
        Effect.flatMap((ms) => Effect.sleep(`${ms} millis`)),
        Effect.zipRight(round(Math.min(waitMs * 2, retryMsMax)))
      )
    const round = (waitMs: number): Effect.Effect<never, BrokerFault, Transport> =>
      Effect.suspend(() => {
        worked = false
        // A connection that was open once starts the waiting from its short end again; a refusal does not, since it may be repeated for long.
        return Effect.catchAll(attempt, (fault) =>
          fault instanceof BrokerFault ? Effect.fail(fault) : again(fault, worked && fault._tag !== "LeaderRefused" ? retryMsMin : waitMs)
        )
      })
    return round(retryMsMin)
  }

  private readonly isBack = Effect.suspend(() => {
    const before = this.reached
    this.reached = true
    const line = `The leader at ${formatAddress(this.options.leader)} answers.`
    // Worth a person's time where it was waited for.
    return before === true ? Effect.void : before === false ? Effect.logInfo(line) : Effect.logDebug(line)
  })

  private isLost(fault: ConnectFault | CallFault): Effect.Effect<void> {
    if (this.reached === false) return Effect.void
    const before = this.reached
    this.reached = false
    const address = formatAddress(this.options.leader)
    return Effect.logWarning(
      before === undefined
        ? `Waiting for the leader at ${address}: ${fault.message}`
        : `The leader at ${address} is lost; trying to reach it again: ${fault.message}`
    )
  }
}
