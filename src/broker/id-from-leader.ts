import { Data, Effect, Schedule } from "effect"
import { kafkaError } from "../../domain/kernel/error-code.ts"
import { type Address, formatAddress, type Transport } from "../ports/transport.ts"
import { BrokerRegistration } from "../protocol/message/62-broker-registration.ts"
import { connect } from "../wire/link.ts"
import { BrokerFault } from "./fault.ts"

const bounds = { connectTimeoutMs: 3000, requestTimeoutMs: 10_000, responseBytesMax: 1_048_576, inFlightRequestsMax: 1 }
/** How often a leader that is unreachable is asked again, ms. */
const retryMs = 1000
const noProcess = "AAAAAAAAAAAAAAAAAAAAAA"

/** Why a node gave no id: it is unreachable, it does not lead, or it has given too many. */
class NoId extends Data.TaggedError("NoId")<{ readonly message: string }> {}

/** Asks one node. BrokerFault where it leads and knows of no ids: it is of an older version. */
const askOne = (address: Address): Effect.Effect<number, NoId | BrokerFault, Transport> =>
  Effect.scoped(
    Effect.flatMap(connect(address, { clientId: "broker-spare", ...bounds }), (link) =>
      link.call(BrokerRegistration, { brokerId: -1, clusterId: "", incarnationId: noProcess, listeners: [], features: [], rack: null, wantsId: true })
    )
  ).pipe(
    Effect.mapError(({ message }) => new NoId({ message })),
    Effect.flatMap(({ errorCode, givenId }): Effect.Effect<number, NoId | BrokerFault> => {
      const error = kafkaError(errorCode)
      if (error === "NONE" && givenId >= 0) return Effect.succeed(givenId)
      if (error !== "NONE" && error !== "INVALID_REGISTRATION") return Effect.fail(new NoId({ message: `${formatAddress(address)} answers ${error}.` }))
      const message = `The leader at ${formatAddress(address)} gives brokers no ids, since it is of an older version: start this broker with --id N.`
      return Effect.fail(new BrokerFault({ kind: "refused id", message }))
    })
  )

/** Asks the cluster's leader, which is one of `leaders`, for the id of a new broker, until it answers. */
export const askForId = (leaders: ReadonlyArray<Address>): Effect.Effect<number, BrokerFault, Transport> => {
  let isSaid = false
  const wait = ({ message }: NoId): Effect.Effect<void> => {
    if (isSaid) return Effect.void
    isSaid = true
    return Effect.logWarning(`Waiting for the leader at ${leaders.map(formatAddress).join(", ")}, which gives this broker its id: ${message}`)
  }
  const round = leaders.map(askOne).reduce((one, other) => Effect.catchTag(one, "NoId", () => other))
  return round.pipe(
    Effect.tapErrorTag("NoId", wait),
    Effect.retry({ schedule: Schedule.spaced(retryMs), while: ({ _tag }) => _tag === "NoId" }),
    Effect.catchTag("NoId", Effect.die)
  )
}
