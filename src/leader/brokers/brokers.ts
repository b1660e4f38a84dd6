import { type Clock, Effect } from "effect"
import { makeRefrain } from "../../stream/refrain.ts"
import { BrokerLines } from "./broker-lines.ts"
import { BrokerLinks } from "./broker-links.ts"
import { BrokerPace } from "./broker-pace.ts"
import { Sessions } from "./liveness.ts"

/** What the leader knows about its brokers that is not in the journal: it begins anew with each leader. */
export interface Brokers {
  readonly sessions: Sessions
  readonly links: BrokerLinks
  readonly pace: BrokerPace
  readonly lines: BrokerLines
  /** A line about what brokers, or those who say that they are brokers, were refused. */
  readonly refrain: ReturnType<typeof makeRefrain>
}

const nanosPerMs = 1_000_000n

export const makeBrokers = (sessionTimeoutMs: number): Effect.Effect<Brokers> =>
  Effect.map(
    Effect.clock,
    (clock: Clock.Clock): Brokers => ({
      sessions: new Sessions(clock, sessionTimeoutMs),
      links: new BrokerLinks(),
      pace: new BrokerPace(() => Number(clock.unsafeCurrentTimeNanos() / nanosPerMs)),
      lines: new BrokerLines(),
      refrain: makeRefrain()
    })
  )
