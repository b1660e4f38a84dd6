import { Effect, Either } from "effect"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { AlterReplicaLogDirs } from "../../../protocol/message/34-alter-replica-log-dirs.ts"
import { ElectLeaders } from "../../../protocol/message/43-elect-leaders.ts"
import { AlterPartitionReassignments } from "../../../protocol/message/45-alter-partition-reassignments.ts"
import { ListPartitionReassignments } from "../../../protocol/message/46-list-partition-reassignments.ts"
import { either, fields, listOf, oneOf, optional, text, whole } from "../../argument/check.ts"
import { type Client, expectNone } from "../../cluster/client.ts"
import type { TopicPartition } from "../../cluster/topic-partition.ts"
import type { InvalidArgument } from "../../error.ts"
import { adminOptions, checked, itemsOf, partitionFields, partitionKey, partitionList } from "./arguments.ts"
import {
  type AdminOptions,
  atNodes,
  byTopic,
  type ItemError,
  type ItemResults,
  missing,
  nodeTimeoutOf,
  once,
  partitionName,
  perItem,
  resultOf,
  together
} from "./items.ts"

/** New brokers for a partition. */
export interface Reassignment extends TopicPartition {
  /** The preferred leader first. Null cancels the reassignment that is in progress. */
  readonly replicas: ReadonlyArray<number> | null
}
export interface ReassignmentInProgress extends TopicPartition {
  readonly replicas: ReadonlyArray<number>
  readonly adding: ReadonlyArray<number>
  readonly removing: ReadonlyArray<number>
}
/** Another data directory for the log of a replica. */
export interface ReplicaMove extends TopicPartition {
  readonly broker: number
  /** The directory, as describeLogDirs names it. */
  readonly path: string
}
/** "preferred": the first replica of each partition leads again. "unclean": a replica that is not in sync may lead, and messages are lost. */
export type ElectionType = "preferred" | "unclean"

export interface ReplicasAdmin {
  /** Moves partitions to other brokers, or cancels that (KIP-455). It continues after the call: see listReassignments. */
  readonly alterReassignments: (
    reassignments: ReadonlyArray<Reassignment>,
    options?: AdminOptions
  ) => Effect.Effect<ItemResults<TopicPartition, void>, InvalidArgument>
  /** The reassignments in progress: of all partitions, or of those that are named. */
  readonly listReassignments: (
    partitions?: ReadonlyArray<TopicPartition>,
    options?: AdminOptions
  ) => Effect.Effect<ReadonlyArray<ReassignmentInProgress>, ItemError | InvalidArgument>
  /** Elects leaders: of all partitions that need it, or of those that are named (KIP-460). */
  readonly electLeaders: (
    type: ElectionType,
    partitions: "all" | ReadonlyArray<TopicPartition>,
    options?: AdminOptions
  ) => Effect.Effect<ItemResults<TopicPartition, void>, ItemError | InvalidArgument>
  /** Moves logs of replicas to other data directories of their brokers (KIP-113). */
  readonly alterReplicaLogDirs: (moves: ReadonlyArray<ReplicaMove>, options?: AdminOptions) => Effect.Effect<ItemResults<ReplicaMove, void>, InvalidArgument>
}

const reassignmentList = itemsOf(
  fields<Reassignment>({ ...partitionFields, replicas: either(oneOf(null), listOf(whole(0), "brokers' ids", 1)) }),
  "partitions",
  partitionKey
)
const moveList = itemsOf(
  fields<ReplicaMove>({ ...partitionFields, broker: whole(0), path: text(4096) }),
  "replicas",
  (move: ReplicaMove) => `${partitionKey(move)} ${move.broker}`
)
const electionType = oneOf("preferred", "unclean")

const alterReassignments = (client: Client, items: ReadonlyArray<Reassignment>, options: AdminOptions | undefined) =>
  Effect.map(
    perItem(client, {
      what: "AlterPartitionReassignments",
      isController: true,
      items,
      options,
      attempt: together((pending: ReadonlyArray<Reassignment>) => {
        const topics = byTopic(pending, ({ partition, replicas }) => ({ partitionIndex: partition, replicas: replicas === null ? null : [...replicas] }))
        return Effect.map(client.callController(AlterPartitionReassignments, { topics, timeoutMs: nodeTimeoutOf(client, options) }), (response) =>
          pending.map((item) => {
            const what = `The reassignment of ${partitionName(item)}`
            if (response.errorCode !== 0) return resultOf(response.errorCode, what, response.errorMessage, undefined)
            const one = response.responses.find(({ name }) => name === item.topic)?.partitions.find(({ partitionIndex }) => partitionIndex === item.partition)
            return one === undefined ? missing(what) : resultOf(one.errorCode, what, one.errorMessage, undefined)
          })
        )
      })
    }),
    (results) => results.map(({ item: { partition, topic }, result }) => ({ item: { topic, partition }, result }))
  )

const listReassignments = (client: Client, partitions: ReadonlyArray<TopicPartition> | undefined, options: AdminOptions | undefined) => {
  const topics =
    partitions === undefined
      ? null
      : byTopic(partitions, ({ partition }) => partition).map(({ name, partitions: partitionIndexes }) => ({ name, partitionIndexes }))
  const attempt = Effect.gen(function* () {
    const response = yield* client.callController(ListPartitionReassignments, { topics, timeoutMs: nodeTimeoutOf(client, options) })
    yield* expectNone(kafkaError(response.errorCode), "The reassignments", response.errorMessage)
    return response.topics.flatMap(({ name, partitions: found }) =>
      found.map(({ addingReplicas: adding, partitionIndex, removingReplicas: removing, replicas }) => ({
        topic: name,
        partition: partitionIndex,
        replicas,
        adding,
        removing
      }))
    )
  })
  return once(client, "ListPartitionReassignments", options, attempt)
}

type Elected = readonly [TopicPartition, Either.Either<void, ItemError>]

const elect = (client: Client, type: ElectionType, partitions: ReadonlyArray<TopicPartition> | null, options: AdminOptions | undefined) =>
  Effect.gen(function* () {
    const topicPartitions =
      partitions === null ? null : byTopic(partitions, ({ partition }) => partition).map(({ name, partitions: of }) => ({ topic: name, partitions: of }))
    const request = { electionType: type === "preferred" ? 0 : 1, topicPartitions, timeoutMs: nodeTimeoutOf(client, options) }
    const response = yield* client.callController(ElectLeaders, request, { versionMin: type === "preferred" ? 0 : 1 })
    yield* expectNone(kafkaError(response.errorCode), "The election")
    return response.replicaElectionResults.flatMap(({ partitionResult, topic }) =>
      partitionResult.map(({ errorCode, errorMessage, partitionId }): Elected => {
        const item = { topic, partition: partitionId }
        // The leader is the wanted one already: what was asked for is so.
        const isDone = kafkaError(errorCode) === "ELECTION_NOT_NEEDED"
        return [item, isDone ? Either.right(undefined) : resultOf(errorCode, `The election of ${partitionName(item)}`, errorMessage, undefined)]
      })
    )
  })
const electLeaders = (client: Client, type: ElectionType, partitions: "all" | ReadonlyArray<TopicPartition>, options: AdminOptions | undefined) => {
  if (partitions === "all")
    return Effect.map(once(client, "ElectLeaders", options, elect(client, type, null, options)), (all) => all.map(([item, result]) => ({ item, result })))
  const attempt = together((pending: ReadonlyArray<TopicPartition>) =>
    Effect.map(elect(client, type, pending, options), (all) => {
      const found = new Map(all.map(([item, result]) => [partitionKey(item), result]))
      return pending.map((item) => found.get(partitionKey(item)) ?? missing(`The election of ${partitionName(item)}`))
    })
  )
  return perItem(client, { what: "ElectLeaders", isController: true, items: partitions, options, attempt })
}

const alterReplicaLogDirs = (client: Client, moves: ReadonlyArray<ReplicaMove>, options: AdminOptions | undefined) =>
  perItem(client, {
    what: "AlterReplicaLogDirs",
    items: moves,
    options,
    attempt: atNodes(
      client,
      ({ broker }: ReplicaMove) => broker,
      (broker, items) => {
        const paths = [...new Set(items.map(({ path }) => path))]
        const dirs = paths.map((path) => ({
          path,
          topics: byTopic(
            items.filter((move) => move.path === path),
            ({ partition }) => partition
          ).map((one) => ({ ...one, partitions: [...one.partitions] }))
        }))
        return Effect.map(client.callNode(broker ?? -1, AlterReplicaLogDirs, { dirs }), ({ results }) =>
          items.map((item) => {
            const what = `The log of ${partitionName(item)} at broker ${broker}`
            const one = results.find(({ topicName }) => topicName === item.topic)?.partitions.find(({ partitionIndex }) => partitionIndex === item.partition)
            return one === undefined ? missing(what) : resultOf(one.errorCode, what, null, undefined)
          })
        )
      }
    )
  })

export const replicasAdmin = (client: Client): ReplicasAdmin => ({
  alterReassignments: (items, options) =>
    checked(
      "alterReassignments",
      () => [reassignmentList(items, "reassignments"), adminOptions(options, "options")],
      () => alterReassignments(client, items, options)
    ),
  listReassignments: (partitions, options) =>
    checked(
      "listReassignments",
      () => [optional(partitionList)(partitions, "partitions"), adminOptions(options, "options")],
      () => listReassignments(client, partitions, options)
    ),
  electLeaders: (type, partitions, options) =>
    checked(
      "electLeaders",
      () => [electionType(type, "type"), either(oneOf("all"), partitionList)(partitions, "partitions"), adminOptions(options, "options")],
      () => electLeaders(client, type, partitions, options)
    ),
  alterReplicaLogDirs: (moves, options) =>
    checked(
      "alterReplicaLogDirs",
      () => [moveList(moves, "moves"), adminOptions(options, "options")],
      () => alterReplicaLogDirs(client, moves, options)
    )
})
