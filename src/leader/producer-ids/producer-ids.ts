import { Effect } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import type { Rejection } from "../../../domain/kernel/error-code.ts"
import type { BrokerId, ProducerId } from "../../../domain/kernel/id.ts"
import type { CommandIdFactory } from "../../stream/command-ids.ts"
import type { ClusterWriter } from "../journal/cluster-aggregate.ts"
import type { ProducerIdBlocks } from "./producer-id-blocks.ts"

/** The producer ids that the leader hands out itself: a journalled block at a time, what is left of one is lost with the process. */
export interface ProducerIds {
  readonly next: Effect.Effect<ProducerId, Rejection>
}

export const makeProducerIds = (nodeId: BrokerId, writer: ClusterWriter, commandIds: CommandIdFactory, blocks: ProducerIdBlocks): ProducerIds => {
  let next = 0n
  let end = 0n
  const oneAtATime = Effect.unsafeMakeSemaphore(1)
  const refill = Effect.suspend(() =>
    writer.submit({
      command: Command.AllocateProducerIds({ brokerId: nodeId, brokerEpoch: undefined, count: blocks.next(nodeId) }),
      commandId: commandIds.own(),
      actor: "leader",
      cause: "InitProducerId"
    })
  ).pipe(
    Effect.map(({ events }) => {
      for (const event of events) {
        if (event._tag !== "ProducerIdsAllocated") continue
        next = event.first
        end = event.first + BigInt(event.count)
      }
    })
  )
  const take = Effect.suspend(() => (next < end ? Effect.void : refill)).pipe(Effect.map(() => next++))
  return { next: oneAtATime.withPermits(1)(take) }
}
