import { Context, Effect } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import type { Rejection } from "../../../domain/kernel/error-code.ts"
import type { ProducerId } from "../../../domain/kernel/id.ts"
import { CommandIds } from "../../stream/command-ids.ts"
import { ClusterStream } from "../journal/cluster-stream.ts"
import { LeaderSettings } from "../settings.ts"
import { ProducerIdBlocks } from "./producer-id-blocks.ts"

const nanosPerMs = 1_000_000n

/** The producer ids of the cluster: each block is journalled, and what is left of one is lost with the process. */
export class LeaderProducerIds extends Context.Tag("comanche-franz/leader/ProducerIds")<
  LeaderProducerIds,
  {
    /** The next id that the leader itself gives to a producer. */
    readonly next: Effect.Effect<ProducerId, Rejection>
    /** Returns how many ids the next block of a node has. */
    readonly blockSize: (node: number) => number
  }
>() {
  static readonly make: Effect.Effect<LeaderProducerIds["Type"], never, ClusterStream | CommandIds | LeaderSettings> = Effect.gen(function* () {
    const { nodeId } = yield* LeaderSettings
    const { writer } = yield* ClusterStream
    const commandIds = yield* CommandIds
    const clock = yield* Effect.clock
    const blocks = new ProducerIdBlocks(() => Number(clock.unsafeCurrentTimeNanos() / nanosPerMs))
    const oneAtATime = yield* Effect.makeSemaphore(1)
    let next = 0n
    let end = 0n
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
    return { next: oneAtATime.withPermits(1)(take), blockSize: (node) => blocks.next(node) }
  })
}
