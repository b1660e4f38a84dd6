import { type Topic, topicById } from "../../../../domain/cluster/state.ts"
import { type NodeConfig, type TopicConfig, topicConfig } from "../../../../domain/kernel/config.ts"
import type { BrokerId, TopicId } from "../../../../domain/kernel/id.ts"
import type { BrokerContext } from "../../broker-context.ts"
import type { PartitionTable } from "./table.ts"

const isEmpty = (record: object): boolean => Object.keys(record).length === 0

/** The settings of hosted topics: a topic's own over this node's. */
export class TopicSettings {
  private latest: { readonly node: NodeConfig; readonly configs: Topic["configs"]; readonly config: TopicConfig } | undefined

  constructor(
    private readonly context: BrokerContext["Type"],
    private readonly table: PartitionTable
  ) {}

  /** Topics without settings of their own share one object, and so do the partitions of a topic that are opened one after the other. */
  of({ configs }: Topic): TopicConfig {
    const node = this.context.config()
    const { latest } = this
    if (latest?.node === node && (latest.configs === configs || (isEmpty(latest.configs) && isEmpty(configs)))) return latest.config
    const config = topicConfig(node, configs)
    this.latest = { node, configs, config }
    return config
  }

  /** Gives the replicas of a topic its settings. */
  apply(topicId: TopicId): void {
    const topic = topicById(this.context.cluster(), topicId)
    if (topic !== undefined) for (const replica of this.table.replicasOf(topicId)) replica.configure(this.of(topic))
  }

  /** Settings of a node, or of all nodes by null, hold for every topic that does not set them itself. */
  applyAll(nodeId: BrokerId | null): void {
    if (nodeId !== null && nodeId !== this.context.nodeId) return
    for (const [topicId] of this.context.cluster().topics) this.apply(topicId)
  }
}
