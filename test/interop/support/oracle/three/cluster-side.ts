import type { Cluster, ClusterNode } from "../../../../../scripts/bench/cluster.ts"
import { Produce } from "../../../../../src/protocol/message/00-produce.ts"
import { ListOffsets } from "../../../../../src/protocol/message/02-list-offsets.ts"
import { Metadata } from "../../../../../src/protocol/message/03-metadata.ts"
import { CreateTopics } from "../../../../../src/protocol/message/19-create-topics.ts"
import type { AnyApi, RequestDraft, ResponseOf } from "../../../../../src/protocol/type/wire.ts"
import { until } from "../../process.ts"
import { RawConnection } from "../../raw.ts"
import type { Side } from "../side.ts"

type Partition = ResponseOf<typeof Metadata>["topics"][number]["partitions"][number]

/** How long a cluster on a busy machine may take until it is as a scenario needs it, ms. */
const settlesMs = 120_000

/** One of the two compared clusters: requests go to any of its nodes, which the scenario stops and starts. */
export class ClusterSide {
  private readonly connections = new Map<number, RawConnection>()
  private readonly stopped = new Set<number>()
  constructor(
    readonly side: Side,
    readonly cluster: Cluster
  ) {}

  private node(id: number): ClusterNode {
    const found = this.cluster.nodes.find((each) => each.id === id)
    if (found === undefined) throw new Error(`there is no node ${id}`)
    return found
  }
  private async to(id: number): Promise<RawConnection> {
    const connection = this.connections.get(id) ?? (await RawConnection.open(this.node(id).port))
    this.connections.set(id, connection)
    return connection
  }
  /** Where brokers reach the cluster's leader: Kafka's controller has a listener of its own. */
  controller(): Promise<RawConnection> {
    const [first] = this.cluster.nodes
    return RawConnection.open((first?.port ?? 0) + (this.cluster.isKafka ? 1 : 0))
  }
  async begin(scenario: string): Promise<void> {
    this.close()
    await this.side.begin(scenario)
  }
  close(): void {
    for (const connection of this.connections.values()) connection.close()
    this.connections.clear()
  }

  /** Sends one request to a node and records its response. */
  async ask<A extends AnyApi>(label: string, node: number, api: A, version: number, draft: RequestDraft<A>): Promise<ResponseOf<A> | undefined> {
    const answer = await this.side.ask(label, api, version, draft, await this.to(node))
    if (answer === undefined) this.connections.delete(node)
    return answer
  }
  /** A request whose response is needed and not compared. */
  async call<A extends AnyApi>(node: number, api: A, version: number, draft: RequestDraft<A>): Promise<ResponseOf<A>> {
    return (await this.to(node)).call(api, version, draft)
  }

  /** Creates a topic with these replicas, the first of which leads, and waits until all are in sync and every node says so. */
  async placed(name: string, replicas: ReadonlyArray<ReadonlyArray<number>>, configs: Readonly<Record<string, string>> = {}): Promise<string> {
    const assignments = replicas.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds }))
    const settings = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
    const topics = [{ name, numPartitions: -1, replicationFactor: -1, assignments, configs: settings }]
    const { topics: created } = await this.call(1, CreateTopics, 7, { topics, timeoutMs: 30_000 })
    const { errorCode, errorMessage, topicId: id } = created[0] ?? { errorCode: -1, errorMessage: null, topicId: "" }
    if (errorCode !== 0) throw new Error(`topic ${name}: error ${errorCode} ${errorMessage ?? ""}`)
    this.side.know(id, name)
    await this.when(name, "all replicas are in sync", (each, at) => each.isrNodes.length === replicas[at]?.length && each.leaderId === replicas[at]?.[0])
    for (const [at, [leader = 1]] of replicas.entries()) await until(`node ${leader} leads ${name}-${at}`, () => this.leads(leader, name, at), settlesMs)
    return id
  }
  /** A node leads a new partition some ms after its Metadata says so: when its log is made. */
  private async leads(node: number, name: string, partitionIndex: number): Promise<boolean> {
    const topics = [{ name, partitions: [{ partitionIndex, timestamp: -1n }] }]
    const { topics: answered } = await this.call(node, ListOffsets, 7, { replicaId: -1, topics })
    return answered[0]?.partitions[0]?.errorCode === 0
  }
  /** Waits until every partition of a topic is so at every node that runs. */
  async when(topic: string, what: string, holds: (partition: Partition, at: number) => boolean): Promise<void> {
    const seenAt = async (node: number): Promise<boolean> => {
      const { topics } = await this.call(node, Metadata, 12, { topics: [{ name: topic }], allowAutoTopicCreation: false })
      const partitions = [...(topics[0]?.partitions ?? [])].sort((one, other) => one.partitionIndex - other.partitionIndex)
      return partitions.length > 0 && partitions.every(holds)
    }
    const running = this.cluster.nodes.filter(({ id }) => !this.stopped.has(id))
    for (const { id } of running) await until(`${topic} at node ${id}: ${what}`, () => seenAt(id), settlesMs)
  }
  /** Appends records to a partition with acks=all; they must be taken. */
  async fill(node: number, name: string, records: Uint8Array, index = 0): Promise<void> {
    await until(`${name}-${index} takes records`, async () => {
      const answer = await this.call(node, Produce, 9, { acks: -1, timeoutMs: 30_000, topicData: [{ name, partitionData: [{ index, records }] }] })
      return answer.responses[0]?.partitionResponses[0]?.errorCode === 0
    })
  }

  /** Ends a node as an operator does, and waits until the others have taken it from their lists. */
  async stop(id: number): Promise<void> {
    this.connections.get(id)?.close()
    this.connections.delete(id)
    this.stopped.add(id)
    await this.node(id).stop()
    await this.cluster.untilListed(this.cluster.nodes.length - this.stopped.size)
  }
  async start(id: number): Promise<void> {
    await this.node(id).start()
    this.stopped.delete(id)
    await this.cluster.untilListed(this.cluster.nodes.length - this.stopped.size)
  }
}

export type ClusterScenario = (cluster: ClusterSide) => Promise<void>
