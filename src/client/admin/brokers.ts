import { Effect } from "effect"
import { groupMetadataTopic } from "../../../domain/cluster/topic/group-metadata.ts"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { UnregisterBroker } from "../../protocol/message/64-unregister-broker.ts"
import type { Client } from "../cluster/client.ts"
import { type CallError, failure, type NotAuthorized } from "../error.ts"
import { describeCluster, type NodeDescription } from "./cluster.ts"

/** A broker, with the number of its partitions. */
export interface BrokerDescription extends NodeDescription {
  /** Partitions that have a replica on it, with those of `__group_metadata`, but of no other internal topic. */
  readonly partitions: number
  /** The number of partitions that it leads. */
  readonly leads: number
}

type Failure = CallError | NotAuthorized

/**
 * Returns the registered brokers, also the fenced ones where the cluster names them, with the number of partitions of
 * each.
 */
export const listBrokers = (client: Client): Effect.Effect<ReadonlyArray<BrokerDescription>, Failure> =>
  Effect.gen(function* () {
    const { nodes } = yield* describeCluster(client)
    const { topics } = yield* client.persistently(client.metadata.refresh("all"))
    const [partitions, leads] = [new Map<number, number>(), new Map<number, number>()]
    const count = (counts: Map<number, number>, id: number) => counts.set(id, (counts.get(id) ?? 0) + 1)
    for (const topic of topics.values()) {
      // The partitions of the groups are on brokers as those of any topic. Other internal topics are views of them and of the journal.
      if (topic.internal && topic.name !== groupMetadataTopic) continue
      for (const { leader, replicas } of topic.partitions) {
        for (const id of replicas) count(partitions, id)
        count(leads, leader)
      }
    }
    return nodes.map((node) => ({ ...node, partitions: partitions.get(node.id) ?? 0, leads: leads.get(node.id) ?? 0 }))
  })

/** Unregisters a broker, whether or not it has partitions. A broker that runs registers again by itself. */
export const unregisterBroker = (client: Client, broker: number): Effect.Effect<void, Failure> =>
  client.persistently(
    Effect.gen(function* () {
      const { errorCode, errorMessage } = yield* client.callController(UnregisterBroker, { brokerId: broker })
      const error = kafkaError(errorCode)
      if (error !== "NONE") return yield* failure(error, `Broker ${broker}`, errorMessage)
    })
  )
