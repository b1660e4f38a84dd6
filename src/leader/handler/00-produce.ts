import type { Cluster } from "../../../domain/cluster/state.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { TopicId } from "../../../domain/kernel/id.ts"
import { Produce } from "../../protocol/message/00-produce.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { Endpoints, findLeader, isInternalTopic, type TopicRef, topicOf } from "../../serve/cluster/current-leader.ts"
import { disconnect, type Route, route } from "../../wire/route.ts"
import { nested, Sliced } from "../../wire/sliced.ts"

type Response = ResponseDraft<typeof Produce>
type PartitionResponse = Response["responses"][number]["partitionResponses"][number]

/** From this version on topics are named by id alone (KIP-516), and from 10 on an error names the leader and its address (KIP-951). */
const topicIdsSince = 13
const leadersSince = 10

const refusalOf = (cluster: Cluster, ref: TopicRef, partition: number): readonly [KafkaError, string] => {
  if (isInternalTopic(ref)) return ["INVALID_TOPIC_EXCEPTION", "The topic is internal: clients read it, and only the leader writes to it."]
  if (topicOf(cluster, ref)?.partitions.at(partition) !== undefined) return ["NOT_LEADER_OR_FOLLOWER", "This node leads the cluster, not the partition."]
  return ["topicId" in ref ? "UNKNOWN_TOPIC_ID" : "UNKNOWN_TOPIC_OR_PARTITION", "This cluster has no such topic or partition."]
}

/**
 * Produce 3-13: a leader holds no partitions but its journal, and refuses everything, with the address of who leads the partition. It answers the API at
 * all because librdkafka reads current record batches only from a node that also takes them.
 */
export const produce = (cluster: () => Cluster): Route =>
  route(Produce, { advertisedMin: 0 }, (request: RequestOf<typeof Produce>, { listener, version }) => {
    if (request.acks === 0) return disconnect("a Produce with acks=0 came to the leader, which holds no partitions")
    const now = cluster()
    const leaders = findLeader(cluster)
    const endpoints = new Endpoints(listener)
    const answer = (ref: TopicRef, index: number): PartitionResponse => {
      const [error, errorMessage] = refusalOf(now, ref, index)
      const leader = error === "NOT_LEADER_OR_FOLLOWER" && version >= leadersSince ? endpoints.note(leaders(ref, index)) : undefined
      return { index, errorCode: errorCode(error), baseOffset: -1n, errorMessage, ...(leader === undefined ? {} : { currentLeader: leader }) }
    }
    return new Sliced(function* () {
      const responses = yield* nested(
        request.topicData,
        ({ partitionData }) => partitionData,
        ({ name, topicId }, { index }) => answer(version >= topicIdsSince ? { topicId: topicId as TopicId } : { name }, index),
        ({ name, topicId }, partitionResponses) => ({ name, topicId, partitionResponses })
      )
      return { responses, nodeEndpoints: endpoints.list() }
    })
  })
