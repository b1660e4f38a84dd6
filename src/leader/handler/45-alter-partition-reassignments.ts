import { Effect, Either } from "effect"
import { Command, type TopicPartition } from "../../../domain/cluster/command.ts"
import type { Event } from "../../../domain/cluster/event.ts"
import { cancellationFault, isReassignedTo, reassignmentFault } from "../../../domain/cluster/replication/reassignment.ts"
import { type Cluster, topicByName } from "../../../domain/cluster/state.ts"
import { errorCode, type Rejection } from "../../../domain/kernel/error-code.ts"
import { AlterPartitionReassignments } from "../../protocol/message/45-alter-partition-reassignments.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { nested, runSteps, Sliced, type Steps } from "../../wire/sliced.ts"
import { type LeaderContext, refusal, submission } from "../context.ts"

type Request = RequestOf<typeof AlterPartitionReassignments>
type Response = ResponseDraft<typeof AlterPartitionReassignments>

/** Partitions that one command changes. A larger request is several commands, so that the writer decides on others in between. */
const partitionsPerCommandMax = 500

/** What a request asks for one partition; null cancels. */
interface PartitionRequest extends TopicPartition {
  readonly replicas: ReadonlyArray<number> | null
}

function* askedBy({ topics }: Request): Steps<ReadonlyArray<PartitionRequest>> {
  const all = yield* nested(
    topics,
    ({ partitions }) => partitions,
    ({ name: topic }, { partitionIndex: partition, replicas }): PartitionRequest => ({ topic, partition, replicas }),
    (_, asked) => asked
  )
  return all.flat()
}

interface Part {
  readonly asked: ReadonlyArray<PartitionRequest>
  readonly command: Command
}

const chunks = <A>(all: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(all.length / partitionsPerCommandMax) }, (_, n) => all.slice(n * partitionsPerCommandMax, (n + 1) * partitionsPerCommandMax))

interface Bounds {
  readonly allowReplicationFactorChange: boolean
  readonly partitionsPerBrokerMax: number
}

const partsOf = (all: ReadonlyArray<PartitionRequest>, bounds: Bounds): ReadonlyArray<Part> => [
  ...chunks(all.filter(({ replicas }) => replicas !== null)).map((asked) => ({
    asked,
    command: Command.ReassignPartitions({
      partitions: asked.map(({ partition, replicas, topic }) => ({ topic, partition, replicas: replicas ?? [] })),
      ...bounds
    })
  })),
  ...chunks(all.filter(({ replicas }) => replicas === null)).map((asked) => ({ asked, command: Command.CancelReassignment({ partitions: asked }) }))
]

/** The partitions whose reassignments events begin or end, by topic id. */
const reassignedBy = (events: ReadonlyArray<Event>): ReadonlySet<string> => {
  const changed = new Set<string>()
  for (const event of events) if (event._tag === "ReassignmentBegan" || event._tag === "ReassignmentEnded") changed.add(`${event.topicId} ${event.partition}`)
  return changed
}

/** Returns why a partition was not reassigned, from the state after the commands; undefined where it has the replicas already. */
const faultAfter = (cluster: Cluster, { partition, replicas, topic }: PartitionRequest, bounds: Bounds): Rejection | undefined => {
  if (replicas === null) return cancellationFault(cluster, { topic, partition })
  const fault = reassignmentFault(cluster, { topic, partition, replicas }, bounds)
  if (fault !== undefined) return fault
  const found = topicByName(cluster, topic)?.partitions.at(partition)
  return found !== undefined && isReassignedTo(found, replicas)
    ? undefined
    : { error: "INVALID_REQUEST", message: `The request names ${topic}-${partition} more than once, or the partition changed meanwhile. Ask again.` }
}

/**
 * AlterPartitionReassignments 0-1 (KIP-455): gives partitions other replicas, or cancels that; each partition by itself. Answered when the events are durable; the copies are
 * made after that, and ListPartitionReassignments names those that are not complete. UNKNOWN_TOPIC_OR_PARTITION, INVALID_REPLICA_ASSIGNMENT, INVALID_REPLICATION_FACTOR,
 * NO_REASSIGNMENT_IN_PROGRESS, POLICY_VIOLATION (`franz.broker.partitions.max`) for a partition, which stays as it is.
 */
export const alterPartitionReassignments = (leader: LeaderContext["Type"]): Route => {
  const { partitionsPerBrokerMax, writer } = leader
  const handle = (request: Request, context: RequestContext): Effect.Effect<Sliced<Response>> =>
    Effect.gen(function* () {
      const { allowReplicationFactorChange } = request
      const bounds = { allowReplicationFactorChange, partitionsPerBrokerMax }
      const asked = yield* runSteps(askedBy(request))
      const parts = partsOf(asked, bounds)
      const outcomes = yield* writer.submitAll(parts.map(({ command }, at) => submission(leader, command, context, "AlterPartitionReassignments", `${at}`)))
      const refused = new Map<PartitionRequest, Rejection>()
      const changed = new Set<string>()
      for (const [at, outcome] of outcomes.entries()) {
        if (Either.isRight(outcome)) for (const key of reassignedBy(outcome.right.events)) changed.add(key)
        else for (const one of parts[at]?.asked ?? []) refused.set(one, outcome.left)
      }
      const after = writer.state()
      let at = 0
      return new Sliced(function* () {
        const responses = yield* nested(
          request.topics,
          ({ partitions }) => partitions,
          ({ name }, { partitionIndex }) => {
            const one = asked[at++] as PartitionRequest
            // The first mention is what the command decided on.
            const isChanged = changed.delete(`${topicByName(after, name)?.topicId} ${partitionIndex}`)
            const fault = refused.get(one) ?? (isChanged ? undefined : faultAfter(after, one, bounds))
            return { partitionIndex, ...(fault === undefined ? { errorCode: errorCode("NONE"), errorMessage: null } : refusal(fault)) }
          },
          ({ name }, partitions) => ({ name, partitions })
        )
        return { allowReplicationFactorChange, errorCode: 0, errorMessage: null, responses }
      })
    })
  return route(AlterPartitionReassignments, {}, handle)
}
