import { createHash } from "node:crypto"
import { Effect } from "effect"
import { Kafka, KafkaJSError, logLevel } from "kafkajs"
import { Admin, type AdminService, Consumer, type ConsumerService } from "../../../src/programs/library.ts"
import { until } from "./process.ts"

/** The data that a cluster serves of one partition. */
interface ServedPartition {
  readonly partition: number
  readonly first: number
  readonly end: number
  readonly records: number
  /** SHA-256 of the records' JSON lines in the order of their offsets: offset, timestamp, key, value, headers. */
  readonly digest: string
}
interface ServedTopic {
  readonly name: string
  readonly topicId: string
  /** The topic's own settings. */
  readonly configs: Readonly<Record<string, string>>
  readonly partitions: ReadonlyArray<ServedPartition>
}
interface ServedGroup {
  readonly group: string
  readonly offsets: ReadonlyArray<{ readonly topic: string; readonly partition: number; readonly offset: string; readonly metadata: string | null }>
}
/** All data that clients see of a cluster and that a restart must keep. */
export interface Served {
  readonly topics: ReadonlyArray<ServedTopic>
  readonly groups: ReadonlyArray<ServedGroup>
  /** Settings that were set at run time, by node id, and under "all" those for all nodes. */
  readonly nodeConfigs: Readonly<Record<string, Readonly<Record<string, string>>>>
}

const hex = (bytes: Uint8Array | null): string | null => (bytes === null ? null : Buffer.from(bytes).toString("hex"))

/** Reads all partitions of a topic to their ends. A log may end with a gap, so a partition is at its end by its position and not by its last record. */
const readTopic = (admin: AdminService, consumer: ConsumerService, topic: string) =>
  Effect.gen(function* () {
    const { configs, partitions, topicId } = yield* admin.describeTopic(topic)
    yield* consumer.assign(partitions.map(({ partition }) => ({ topic, partition, at: "earliest" as const })))
    const digests = partitions.map(() => createHash("sha256"))
    const counts = partitions.map(() => 0)
    for (;;) {
      for (const { headers, key, offset, partition, timestamp, value } of yield* consumer.poll({ timeoutMs: 250 })) {
        const named = headers.map((header) => [header.key, hex(header.value)])
        digests[partition]?.update(`${JSON.stringify([offset, timestamp, hex(key), hex(value), named])}\n`)
        counts[partition] = (counts[partition] ?? 0) + 1
      }
      const positions = yield* consumer.positions
      if (positions.length === partitions.length && positions.every(({ offset, partition }) => offset >= (partitions[partition]?.end ?? 0))) break
    }
    return {
      name: topic,
      topicId,
      configs: Object.fromEntries(configs.filter(({ isOwn }) => isOwn).map(({ name, value }) => [name, value ?? ""])),
      partitions: partitions.map(({ end = -1, first = -1, partition }) => ({
        partition,
        first,
        end,
        records: counts[partition] ?? 0,
        digest: digests[partition]?.digest("hex") ?? ""
      }))
    }
  })

const readNodeConfigs = (admin: AdminService) =>
  Effect.gen(function* () {
    const { nodes } = yield* admin.describeCluster
    const found: Record<string, Readonly<Record<string, string>>> = {}
    for (const node of ["all" as const, ...nodes.map(({ id }) => id)]) {
      const own = (yield* admin.nodeConfigs(node)).filter(({ source }) => source === (node === "all" ? "cluster" : "node"))
      if (own.length > 0) found[node] = Object.fromEntries(own.map(({ name, value }) => [name, value ?? ""]))
    }
    return found
  })

/** KafkaJS's admin does not ask again where the coordinator of a group has just moved. */
const retried = <A>(what: string, ask: () => Promise<A>): Promise<A> =>
  until(what, async () => {
    try {
      return { answer: await ask() }
    } catch (fault) {
      if (fault instanceof KafkaJSError && fault.retriable) return undefined
      throw fault
    }
  }).then(({ answer }) => answer)

/** The offsets of all groups, with their metadata, as KafkaJS is told. */
const readGroups = async (address: string): Promise<ReadonlyArray<ServedGroup>> => {
  const admin = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    const { groups } = await retried("the groups are listed", () => admin.listGroups())
    const found: Array<ServedGroup> = []
    for (const { groupId } of groups.toSorted((one, other) => (one.groupId < other.groupId ? -1 : 1))) {
      const topics = await retried(`the offsets of ${groupId} are read`, () => admin.fetchOffsets({ groupId }))
      const offsets = topics.flatMap(({ partitions, topic }) =>
        partitions.map(({ metadata, offset, partition }) => ({ topic, partition, offset, metadata: metadata === "" ? null : metadata }))
      )
      found.push({
        group: groupId,
        offsets: offsets.toSorted((one, other) => (one.topic === other.topic ? one.partition - other.partition : one.topic < other.topic ? -1 : 1))
      })
    }
    return found
  } finally {
    await admin.disconnect()
  }
}

/** Returns what the cluster at `address` serves. */
export const served = async (address: string): Promise<Served> => {
  const read = Effect.scoped(
    Effect.gen(function* () {
      const admin = yield* Admin.make({ leader: address })
      const consumer = yield* Consumer.make({ leader: address, pollRecordsMax: 10_000 })
      const topics: Array<ServedTopic> = []
      for (const { name } of yield* admin.listTopics()) topics.push(yield* readTopic(admin, consumer, name))
      return { topics, nodeConfigs: yield* readNodeConfigs(admin) }
    })
  )
  const { nodeConfigs, topics } = await Effect.runPromise(read)
  return { topics, groups: await readGroups(address), nodeConfigs }
}
