import type { Event } from "../../../../domain/cluster/event.ts"
import type { BrokerId, TopicId } from "../../../../domain/kernel/id.ts"
import type { Replica } from "../replica/replica.ts"
import type { TopicIdPartition } from "../topic-id-partition.ts"
import type { HostedLogs } from "./hosted-logs.ts"

type Reactions = { readonly [Tag in Event["_tag"]]: (event: Extract<Event, { readonly _tag: Tag }>) => void }

const none = (): void => undefined

/** A partition was placed, or has another leader: its replica gets its role at once, its log is opened or removed in the background. */
const refresh = (logs: HostedLogs, { topicId, partition }: TopicIdPartition, isNew: boolean): void => {
  const placed = logs.roles.placedHere({ topicId, partition })
  const slot = logs.table.slot(topicId, partition)
  if (slot !== undefined && slot !== "failed") logs.roles.assign(slot, placed?.partition)
  // A log that is missing or damaged is made anew once the cluster does not count on it.
  const isCopiedAnew = (slot === "failed" || slot?.isDamaged === true) && placed !== undefined && placed.partition.replicas.length > 1
  if ((placed === undefined) !== (slot === undefined) || isCopiedAnew) logs.mark({ topicId, partition, isNew })
}

const drop = (logs: HostedLogs, topicId: TopicId): void => {
  for (const [partition, slot] of logs.table.drop(topicId).entries()) {
    if (slot !== undefined && slot !== "failed") slot.stopLeading()
    if (slot !== undefined) logs.mark({ topicId, partition })
  }
}

/** What each event of the cluster changes for the partitions of this broker: a table over all of them, so that the compiler names a new event that is missing here. */
const reactionsOf = (logs: HostedLogs, nodeId: BrokerId): Reactions => {
  const assignAll = (isConcerned: (replica: Replica) => boolean): void => {
    for (const replica of logs.replicas()) if (isConcerned(replica)) logs.roles.assign(replica, logs.roles.placedHere(replica)?.partition)
  }
  /** Another broker concerns the partitions that this one leads with several replicas: it may be one of them. */
  const ofBroker = ({ brokerId }: { readonly brokerId: BrokerId }): void => assignAll(({ replication }) => brokerId === nodeId || replication !== undefined)
  const ofRows = ({
    rows,
    topicId
  }: {
    readonly topicId: TopicId
    readonly rows: ReadonlyArray<readonly [partition: number, ...ReadonlyArray<unknown>]>
  }): void => {
    for (const [partition] of rows) refresh(logs, { topicId, partition }, false)
    // A replica that has joined the in-sync set, or left it, has another fetcher.
    logs.regroupFollowers()
  }
  return {
    ClusterFounded: none,
    EventLevelRaised: none,
    GroupStreamsFixed: none,
    LeaderElected: none,
    BrokerRegistered: ofBroker,
    BrokerUnfenced: ofBroker,
    BrokerFenced: ofBroker,
    BrokerRemoved: ofBroker,
    // A PartitionPlaced follows for each of its partitions.
    TopicAdded: none,
    PartitionPlaced: (event) => refresh(logs, event, true),
    PartitionLeaderChanged: (event) => refresh(logs, event, false),
    // min.insync.replicas is among them.
    TopicConfigsChanged: ({ topicId }) => {
      logs.settings.apply(topicId)
      assignAll((replica) => replica.topicId === topicId && replica.replication !== undefined)
    },
    NodeConfigsChanged: (event) => {
      logs.settings.applyAll(event.nodeId)
      assignAll(({ replication }) => replication !== undefined)
    },
    ResourceConfigsChanged: none,
    TopicRemoved: ({ topicId }) => drop(logs, topicId),
    ProducerIdsAllocated: none,
    LeadersElected: ofRows,
    InSyncSetsChanged: ofRows,
    LeaderElectedUncleanly: (event) => refresh(logs, event, false),
    RecordsLost: none,
    ReassignmentBegan: (event) => refresh(logs, event, event.adding.includes(nodeId)),
    ReassignmentEnded: (event) => {
      refresh(logs, event, false)
      logs.regroupFollowers()
    },
    BrokerLeaving: ofBroker,
    ReplicasDisowned: none
  }
}

/** Applies events that the image has folded already. */
export const reactTo = (logs: HostedLogs, nodeId: BrokerId): ((events: ReadonlyArray<Event>) => void) => {
  const reactions = reactionsOf(logs, nodeId)
  return (events) => {
    if (!logs.roles.hasBegun) return
    for (const event of events) (reactions[event._tag] as (event: Event) => void)(event)
    logs.wake()
  }
}
