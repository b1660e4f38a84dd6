import { HashMap, Option } from "effect"
import type { BrokerId, TopicId } from "../kernel/id.ts"
import {
  BrokerFenced,
  BrokerRegistered,
  BrokerRemoved,
  BrokerUnfenced,
  type Event,
  NodeConfigsChanged,
  PartitionPlaced,
  TopicAdded,
  TopicConfigsChanged,
  TopicRemoved
} from "./event.ts"
import { BrokerLeaving, InSyncSetsChanged, LeadersElected, ReassignmentBegan, ReassignmentEnded } from "./replication/event.ts"
import { type Broker, type Cluster, type Partition, sortedTopics, type Topic, topicById } from "./state.ts"

type Configs = Readonly<Record<string, string>>

const isSameList = (one: ReadonlyArray<unknown>, other: ReadonlyArray<unknown>): boolean =>
  one.length === other.length && one.every((each, at) => each === other[at])
const isSameConfigs = (one: Configs, other: Configs): boolean => {
  const names = Object.keys(one)
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
}

const isSamePartition = (one: Partition, other: Partition): boolean =>
  one.partitionEpoch === other.partitionEpoch &&
  one.leaderEpoch === other.leaderEpoch &&
  one.leader === other.leader &&
  (["replicas", "isr", "elr", "adding", "removing"] as const).every((list) => isSameList(one[list], other[list]))

type NonEmpty = readonly [BrokerId, ...ReadonlyArray<BrokerId>]

/** What brings a partition to its new leader, sets and replicas. Its epoch of changes is not told. */
const ofPartition = (topicId: TopicId, partition: number, before: Partition | undefined, after: Partition): ReadonlyArray<Event> => {
  if (before !== undefined && isSamePartition(before, after)) return []
  const { adding, elr, isr, leader, leaderEpoch, removing } = after
  const replicas = after.replicas as NonEmpty
  const isMoving = adding.length + removing.length > 0
  const events: Array<Event> = []
  if (before === undefined) events.push(new PartitionPlaced({ topicId, partition, replicas, isr, leader, leaderEpoch }))
  else if (!isSameList(before.replicas, replicas) || before.adding.length + before.removing.length > 0)
    events.push(new ReassignmentEnded({ topicId, partition, outcome: "completed", replicas, isr, elr, leader, leaderEpoch }))
  if (isMoving) events.push(new ReassignmentBegan({ topicId, partition, replicas, adding, removing }))
  if (before === undefined && elr.length === 0) return events
  events.push(
    before?.leader === leader && before.leaderEpoch === leaderEpoch
      ? new InSyncSetsChanged({ topicId, reason: "caught up", by: null, rows: [[partition, isr, elr]] })
      : new LeadersElected({ topicId, reason: "reassigned", rows: [[partition, leader, leaderEpoch, isr, elr]] })
  )
  return events
}

const ofTopic = (before: Topic | undefined, { configs, name, partitions, topicId }: Topic): ReadonlyArray<Event> => {
  const events: Array<Event> = []
  if (before === undefined) events.push(new TopicAdded({ topic: name, topicId, configs }))
  else if (!isSameConfigs(before.configs, configs)) events.push(new TopicConfigsChanged({ topicId, configs }))
  for (let index = 0; index < partitions.length; index++)
    events.push(...ofPartition(topicId, index, before?.partitions.at(index), partitions.at(index) as Partition))
  return events
}

const ofBroker = (before: Broker | undefined, after: Broker): ReadonlyArray<Event> => {
  const { directories, epoch: brokerEpoch, eventLevel, fenced, host, id: brokerId, incarnationId, leavingAt, listeners, port, rack } = after
  const events: Array<Event> = []
  const isNew = before === undefined || before.epoch !== brokerEpoch || before.incarnationId !== incarnationId
  if (isNew)
    events.push(
      new BrokerRegistered({
        ...(directories === undefined ? { v: 1 } : { v: 2, directories, keepsWhatItAcknowledged: true }),
        ...{ brokerId, incarnationId, brokerEpoch, host, port, rack },
        ...(listeners === undefined ? {} : { listeners }),
        ...(eventLevel === undefined ? {} : { eventLevel })
      })
    )
  // Versions 1 change no partition: each of them has rows of its own.
  if (fenced !== (isNew || before.fenced))
    events.push(fenced ? new BrokerFenced({ v: 1, brokerId, brokerEpoch, reason: "session timeout" }) : new BrokerUnfenced({ v: 1, brokerId, brokerEpoch }))
  if (leavingAt !== undefined && (isNew || before.leavingAt !== leavingAt)) events.push(new BrokerLeaving({ brokerId, brokerEpoch }))
  return events
}

/**
 * Returns events that tell a reader of the image `before` what the image `after` has instead: brokers, settings of nodes,
 * and topics with their partitions. They are not those that the journal had between the two, and never get into one. A
 * broker that begins anew with a snapshot, while it runs, reacts to them.
 */
export const changesBetween = (before: Cluster, after: Cluster): ReadonlyArray<Event> => {
  const events: Array<Event> = []
  for (const [brokerId, { epoch }] of before.brokers)
    if (!HashMap.has(after.brokers, brokerId)) events.push(new BrokerRemoved({ brokerId, brokerEpoch: epoch, reason: "unregistered" }))
  for (const [brokerId, broker] of after.brokers) events.push(...ofBroker(Option.getOrUndefined(HashMap.get(before.brokers, brokerId)), broker))
  const nodes = new Set([...HashMap.keys(before.nodeConfigs), ...HashMap.keys(after.nodeConfigs)])
  for (const nodeId of nodes) {
    const configs = Option.getOrElse(HashMap.get(after.nodeConfigs, nodeId), (): Configs => ({}))
    if (
      !isSameConfigs(
        Option.getOrElse(HashMap.get(before.nodeConfigs, nodeId), (): Configs => ({})),
        configs
      )
    )
      events.push(new NodeConfigsChanged({ nodeId, configs }))
  }
  // Removed first: a new topic may have the name of one that is removed.
  for (const { name, topicId } of sortedTopics(before)) if (topicById(after, topicId) === undefined) events.push(new TopicRemoved({ topic: name, topicId }))
  for (const topic of sortedTopics(after)) events.push(...ofTopic(topicById(before, topic.topicId), topic))
  return events
}
