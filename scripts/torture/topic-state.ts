import { kafkaError } from "../../domain/kernel/error-code.ts"
import { Metadata } from "../../src/protocol/message/03-metadata.ts"
import { CreateTopics } from "../../src/protocol/message/19-create-topics.ts"
import { deadlineMs } from "../../test/interop/support/process.ts"
import { RawConnection } from "../../test/interop/support/raw.ts"

export interface PartitionState {
  readonly partition: number
  /** -1 for none. */
  readonly leader: number
  readonly replicas: ReadonlyArray<number>
  readonly inSync: ReadonlyArray<number>
}

const metadataVersion = 12
const createVersion = 7

/** Asks a node; the connection is closed afterwards, and where the response takes longer than `withinMs`. */
export const asking = async <A>(port: number, ask: (connection: RawConnection) => Promise<A>, withinMs = deadlineMs): Promise<A> => {
  const connection = await RawConnection.open(port)
  const late = setTimeout(() => connection.close(), withinMs)
  try {
    return await ask(connection)
  } finally {
    clearTimeout(late)
    connection.close()
  }
}

/** The partitions of the topic as a node knows them. */
export const topicState = (port: number, topic: string): Promise<ReadonlyArray<PartitionState>> =>
  asking(port, async (connection) => {
    const { topics } = await connection.call(Metadata, metadataVersion, { topics: [{ name: topic }], allowAutoTopicCreation: false })
    return (topics[0]?.partitions ?? [])
      .map(({ isrNodes, leaderId, partitionIndex, replicaNodes }) => ({
        partition: partitionIndex,
        leader: leaderId,
        replicas: replicaNodes,
        inSync: isrNodes
      }))
      .toSorted((one, other) => one.partition - other.partition)
  })

/** The id of a topic; undefined where the node knows of none. */
export const topicIdOf = (port: number, topic: string): Promise<string | undefined> =>
  asking(port, async (connection) => {
    const { topics } = await connection.call(Metadata, metadataVersion, { topics: [{ name: topic }], allowAutoTopicCreation: false })
    return topics[0]?.errorCode === 0 ? topics[0].topicId : undefined
  })

/** Creates the topic at the leader. Returns its id. */
export const createTopic = (port: number, topic: string, partitions: number, replicationFactor: number, minInSync: number): Promise<string> =>
  asking(port, async (connection) => {
    const configs = [{ name: "min.insync.replicas", value: String(minInSync) }]
    const wanted = [{ name: topic, numPartitions: partitions, replicationFactor, assignments: [], configs }]
    const { topics } = await connection.call(CreateTopics, createVersion, { topics: wanted, timeoutMs: 30_000, validateOnly: false })
    const [created] = topics
    if (created?.errorCode !== 0) throw new Error(`the topic was not created: ${kafkaError(created?.errorCode ?? -1)} ${created?.errorMessage ?? ""}`)
    return created.topicId
  })
