import { Either } from "effect"
import type { Rejection } from "../../kernel/error-code.ts"
import { rejected } from "../decision.ts"
import { type Broker, brokerOf, type Cluster } from "../state.ts"

/** Returns the broker of that id and epoch; BROKER_ID_NOT_REGISTERED or STALE_BROKER_EPOCH where the caller is not it (R5). */
export const currentBroker = (cluster: Cluster, brokerId: number, brokerEpoch: number): Either.Either<Broker, Rejection> => {
  const broker = brokerOf(cluster, brokerId)
  if (broker === undefined) return rejected("BROKER_ID_NOT_REGISTERED", `No broker ${brokerId} is registered.`)
  if (broker.epoch !== brokerEpoch)
    return rejected("STALE_BROKER_EPOCH", `Broker ${brokerId} has epoch ${broker.epoch}, not ${brokerEpoch}: a newer registration is valid.`)
  return Either.right(broker)
}
