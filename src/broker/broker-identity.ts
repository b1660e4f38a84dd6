import { Context, Effect } from "effect"
import { incarnationDigest } from "../../domain/cluster/broker/incarnation.ts"
import type { Broker } from "../../domain/cluster/state.ts"
import { kafkaError } from "../../domain/kernel/error-code.ts"
import { formatAddress } from "../ports/transport.ts"
import { BrokerRegistration } from "../protocol/message/62-broker-registration.ts"
import type { RequestDraft } from "../protocol/type/wire.ts"
import type { CallFault } from "../wire/fault.ts"
import type { Link } from "../wire/link.ts"
import { BrokerSettings } from "./broker-settings.ts"
import { type LeaderRefused, leaderRefused } from "./fault.ts"
import { drawIncarnationId } from "./incarnation.ts"

/** A registration that the leader accepted. */
interface Registered {
  readonly request: RequestDraft<typeof BrokerRegistration>
  /** The broker epoch that the leader gave to this process. */
  readonly epoch: number
}

/** This process as the leader knows it. */
export class BrokerIdentity extends Context.Tag("comanche-franz/broker/BrokerIdentity")<
  BrokerIdentity,
  {
    /** The secret UUID of this process, which tells it from other processes with the same node id. */
    readonly incarnationId: string
    /** Whether a registration in the image belongs to this process. */
    readonly isSelf: (broker: Broker) => boolean
    /** The current broker epoch; undefined before the first registration. */
    readonly epoch: () => number | undefined
    /** Notes a registration that the leader accepted. */
    readonly registeredAs: (registered: Registered) => void
    /**
     * Repeats the registration on another connection, so that the leader accepts the requests of a broker on it.
     * Does nothing before the first registration: the leader treats such a connection as a client's. LeaderRefused
     * where the leader does not recognize this process.
     */
    readonly identify: (link: Link) => Effect.Effect<void, CallFault | LeaderRefused>
  }
>() {
  static readonly make: Effect.Effect<BrokerIdentity["Type"], never, BrokerSettings> = Effect.gen(function* () {
    const { incarnationId: given, nodeId } = yield* BrokerSettings
    const incarnationId = given ?? (yield* drawIncarnationId)
    const digest = incarnationDigest(incarnationId)
    let registered: Registered | undefined
    const identify = (link: Link): Effect.Effect<void, CallFault | LeaderRefused> => {
      if (registered === undefined) return Effect.void
      return Effect.flatMap(link.call(BrokerRegistration, registered.request), ({ errorCode }) =>
        errorCode === 0
          ? Effect.void
          : leaderRefused(`The leader at ${formatAddress(link.address)} does not recognize broker ${nodeId}: ${kafkaError(errorCode)}.`)
      )
    }
    return {
      incarnationId,
      isSelf: (broker) => broker.incarnationId === digest,
      epoch: () => registered?.epoch,
      registeredAs: (now) => {
        registered = now
      },
      identify: (link) => Effect.suspend(() => identify(link))
    }
  })
}
