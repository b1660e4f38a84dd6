import { Effect } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import { AllocateProducerIds } from "../../protocol/message/67-allocate-producer-ids.ts"
import { type Route, route } from "../../wire/route.ts"
import { type LeaderContext, submission } from "../context.ts"

const none = { producerIdStart: -1n, producerIdLen: 0 }

/** AllocateProducerIds 0 (KIP-730): a broker gets a block of producer ids that no other ever gets. CLUSTER_AUTHORIZATION_FAILED on a connection on which it has not registered. */
export const allocateProducerIds = (leader: LeaderContext["Type"]): Route =>
  route(AllocateProducerIds, { refusal: none }, ({ brokerId, brokerEpoch }, context) => {
    const stranger = leader.brokers.links.refusal(context, leader.writer.state(), brokerId)
    if (stranger !== undefined) return { errorCode: errorCode(stranger.error), ...none }
    const command = Command.AllocateProducerIds({ brokerId, brokerEpoch: Number(brokerEpoch), count: leader.producerIds.blockSize(brokerId) })
    return leader.writer.submit(submission(leader, command, context, "AllocateProducerIds")).pipe(
      Effect.match({
        onSuccess: ({ events }) => {
          const block = events.find((event) => event._tag === "ProducerIdsAllocated")
          return { errorCode: 0, producerIdStart: block?.first ?? -1n, producerIdLen: block?.count ?? 0 }
        },
        onFailure: ({ error }) => ({ errorCode: errorCode(error), ...none })
      })
    )
  })
