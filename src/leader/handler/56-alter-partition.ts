import { Effect, Either } from "effect"
import { Command, type InSyncSetRequest } from "../../../domain/cluster/command.ts"
import type { Event } from "../../../domain/cluster/event.ts"
import { inSyncSetFault } from "../../../domain/cluster/replication/in-sync.ts"
import { brokerOf, type Cluster, topicById } from "../../../domain/cluster/state.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { TopicId } from "../../../domain/kernel/id.ts"
import { AlterPartition } from "../../protocol/message/56-alter-partition.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { nested, runSteps, Sliced, type Steps } from "../../wire/sliced.ts"
import { type LeaderContext, submission } from "../context.ts"

type Request = RequestOf<typeof AlterPartition>
type TopicRequest = Request["topics"][number]
type PartitionRequest = TopicRequest["partitions"][number]
type Response = ResponseDraft<typeof AlterPartition>
type PartitionResponse = Response["topics"][number]["partitions"][number]

/** The first version that names each replica with its broker epoch (KIP-903). */
const epochsSince = 3

const inSyncSetOf = (cluster: Cluster, topicId: TopicId, asked: PartitionRequest, version: number): InSyncSetRequest => {
  const { leaderEpoch, newIsr, newIsrWithEpochs, partitionEpoch, partitionIndex: partition } = asked
  // As in Kafka, no epoch means the present one: an older version has none to tell.
  const present = (brokerId: number) => brokerOf(cluster, brokerId)?.epoch ?? -1
  const isr =
    version >= epochsSince
      ? newIsrWithEpochs.map(({ brokerEpoch, brokerId }) => ({ brokerId, brokerEpoch: brokerEpoch < 0n ? present(brokerId) : Number(brokerEpoch) }))
      : newIsr.map((brokerId) => ({ brokerId, brokerEpoch: present(brokerId) }))
  return { topicId, partition, leaderEpoch, partitionEpoch, isr }
}

/** The partitions of a command, in the order of the request. */
function* requested({ topics }: Request, cluster: Cluster, version: number): Steps<ReadonlyArray<InSyncSetRequest>> {
  const all = yield* nested(
    topics,
    ({ partitions }) => partitions,
    ({ topicId }, asked) => inSyncSetOf(cluster, topicId as TopicId, asked, version),
    (_, sets) => sets
  )
  return all.flat()
}

/** The partitions that events have rows of. */
const changedBy = (events: ReadonlyArray<Event>): ReadonlySet<string> => {
  const changed = new Set<string>()
  for (const event of events) {
    if (event._tag === "InSyncSetsChanged" || event._tag === "LeadersElected")
      for (const [partition] of event.rows) changed.add(`${event.topicId} ${partition}`)
    if (event._tag === "ReassignmentEnded") changed.add(`${event.topicId} ${event.partition}`)
  }
  return changed
}

const refused = (error: KafkaError, { leaderEpoch, partitionEpoch, partitionIndex }: PartitionRequest): PartitionResponse => ({
  partitionIndex,
  errorCode: errorCode(error),
  leaderId: -1,
  leaderEpoch,
  isr: [],
  partitionEpoch
})

/** The response for a partition, from the state after the command. */
const partitionResponse = (cluster: Cluster, topicId: TopicId, asked: PartitionRequest, fault: KafkaError | undefined): PartitionResponse => {
  const partition = topicById(cluster, topicId)?.partitions.at(asked.partitionIndex)
  if (fault !== undefined || partition === undefined) return refused(fault ?? "UNKNOWN_TOPIC_ID", asked)
  const { isr, leader, leaderEpoch, partitionEpoch } = partition
  const error = leaderEpoch > asked.leaderEpoch ? "NEW_LEADER_ELECTED" : "NONE"
  return { partitionIndex: asked.partitionIndex, errorCode: errorCode(error), leaderId: leader, leaderEpoch, isr, partitionEpoch }
}

/**
 * AlterPartition 2-3 (KIP-497): a partition leader asks for other in-sync sets; each partition by itself. Answered when the events are durable. The broker believes its
 * image, and not this answer. CLUSTER_AUTHORIZATION_FAILED on a connection on which that broker has not registered; STALE_BROKER_EPOCH for another of its processes.
 */
export const alterPartition = (leader: LeaderContext["Type"]): Route => {
  const { brokers, writer } = leader
  const handle = (request: Request, context: RequestContext): Effect.Effect<Sliced<Response> | Response> =>
    Effect.gen(function* () {
      const { brokerEpoch, brokerId } = request
      const asked = yield* runSteps(requested(request, writer.state(), context.version))
      const command = Command.AlterInSyncSets({ brokerId, brokerEpoch: Number(brokerEpoch), partitions: asked })
      const outcome = yield* Effect.either(writer.submit(submission(leader, command, context, "AlterPartition")))
      if (Either.isLeft(outcome)) return { errorCode: errorCode(outcome.left.error), topics: [] }
      const changed = changedBy(outcome.right.events)
      const after = writer.state()
      let at = 0
      return new Sliced(function* () {
        const topics = yield* nested(
          request.topics,
          ({ partitions }) => partitions,
          ({ topicId }, partition) => {
            const set = asked[at++] as InSyncSetRequest
            const isChanged = changed.has(`${topicId} ${partition.partitionIndex}`)
            const fault = isChanged ? undefined : (inSyncSetFault(after, brokerId, set)?.error ?? "INVALID_UPDATE_VERSION")
            return partitionResponse(after, topicId as TopicId, partition, fault)
          },
          ({ topicId }, partitions) => ({ topicId, partitions })
        )
        return { errorCode: 0, topics }
      })
    })
  return route(AlterPartition, {}, (request, context) => {
    const stranger = brokers.links.refusal(context, writer.state(), request.brokerId)
    return stranger === undefined ? handle(request, context) : { errorCode: errorCode(stranger.error), topics: [] }
  })
}
