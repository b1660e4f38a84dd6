import { HashMap } from "effect"
import { inSyncSetFault } from "../../domain/cluster/replication/in-sync.ts"
import { type Cluster, initial, type Topic } from "../../domain/cluster/state.ts"
import type { KafkaError } from "../../domain/kernel/error-code.ts"
import type { BrokerId, TopicId, TopicName } from "../../domain/kernel/id.ts"
import { Vector } from "../../domain/kernel/vector.ts"
import type { PartitionImage } from "../../domain/partition/image.ts"
import type { AlterRequest, Version } from "./state.ts"

const topicId = "T0000000000000000000AA" as TopicId

const clusters = new WeakMap<Version, Cluster>()

/** A cluster with the one partition, for the functions of `domain/cluster` that take one. */
const clusterOf = (version: Version): Cluster => {
  const known = clusters.get(version)
  if (known !== undefined) return known
  const { brokers, minIsr, partition } = version
  const topic: Topic = { name: "t" as TopicName, topicId, partitions: Vector.from([partition]), configs: { "min.insync.replicas": String(minIsr) } }
  const made: Cluster = {
    ...initial,
    eventLevel: 2,
    topics: HashMap.make([topicId, topic]),
    topicIds: HashMap.make([topic.name, topicId]),
    brokers: HashMap.fromIterable(
      brokers.map(({ epoch, isFenced }, index) => {
        const id = index as BrokerId
        return [id, { id, incarnationId: "", epoch, host: "h", port: 1, rack: null, fenced: isFenced }] as const
      })
    )
  }
  clusters.set(version, made)
  return made
}

/** Returns the error of an AlterPartition request; undefined where it changes the set. */
export const alterFault = (version: Version, { by, brokerEpoch, proposal }: AlterRequest): KafkaError | undefined => {
  if (version.brokers[by]?.epoch !== brokerEpoch) return "STALE_BROKER_EPOCH"
  const { brokerEpochs, isr, leaderEpoch, partitionEpoch } = proposal
  return inSyncSetFault(clusterOf(version), by, {
    topicId,
    partition: 0,
    leaderEpoch,
    partitionEpoch,
    isr: isr.map((id, at) => ({ brokerId: id, brokerEpoch: brokerEpochs[at] as number }))
  })?.error
}

const images = new WeakMap<Version, PartitionImage>()

/** Returns what an image at a version says about the partition. */
export const imageOf = (version: Version): PartitionImage => {
  const known = images.get(version)
  if (known !== undefined) return known
  const { brokers, minIsr, partition } = version
  const { elr, isr, leader, leaderEpoch, partitionEpoch, replicas } = partition
  // In the order of their numbers: the order of the replicas differs from one election to the next (see `elections`).
  const made: PartitionImage = {
    leader,
    leaderEpoch,
    partitionEpoch,
    isr,
    elr,
    minIsr: Math.min(minIsr, replicas.length),
    replicas: brokers.map(({ epoch, isFenced }, index) => ({ id: index as BrokerId, brokerEpoch: epoch, mayJoin: !isFenced }))
  }
  images.set(version, made)
  return made
}
