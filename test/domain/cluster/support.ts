import { Command } from "../../../domain/cluster/command.ts"
import { clusterDecider } from "../../../domain/cluster/decide.ts"
import type { Event } from "../../../domain/cluster/event.ts"
import type { TopicRow } from "../../../domain/cluster/snapshot.ts"
import { type Cluster, initial } from "../../../domain/cluster/state.ts"
import type { TopicId } from "../../../domain/kernel/id.ts"
import { Given } from "../given.ts"

/** A topic id with a number in it. */
export const topicId = (n: number): TopicId => `T${String(n).padStart(20, "0")}A` as TopicId

export const addTopic = (topic: string, more: Partial<Extract<Command, { _tag: "AddTopic" }>> = {}): Command =>
  Command.AddTopic({
    topic,
    topicId: topicId(1),
    partitionCount: 3,
    replicationFactor: 1,
    defaultPartitionCount: 1,
    partitionsPerBrokerMax: 200_000,
    assignments: [],
    configs: [],
    validateOnly: false,
    ...more
  })
export const register = (brokerId: number, incarnationId = `process-${brokerId}`, port = 9000 + brokerId, isConnected = false): Command =>
  Command.RegisterBroker({ brokerId, incarnationId, clusterId: "", host: "127.0.0.1", port, rack: null, isConnected })

/** A cluster, to be asked commands; without one, the state before the first event. */
export const givenCluster = (state: Cluster = initial): Given<Cluster, Command, Event> => new Given(clusterDecider, state)
type Next = Command | ((cluster: Cluster) => Command)
/** The events of a command, which must not be refused. */
export const eventsOf = (state: Cluster, command: Next): ReadonlyArray<Event> => givenCluster(state).events(command)
/** The state after commands, none of which may be refused. */
export const afterCommands = (state: Cluster, ...commands: ReadonlyArray<Next>): Cluster => givenCluster(state).after(...commands).state
/** The state after commands to a cluster without any event. */
export const given = (...commands: ReadonlyArray<Next>): Cluster => afterCommands(initial, ...commands)
export const heartbeat = (brokerId: number, more: Partial<Extract<Command, { _tag: "BrokerHeartbeat" }>> = {}) => {
  return (cluster: Cluster): Command =>
    Command.BrokerHeartbeat({
      brokerId,
      brokerEpoch: [...cluster.brokers].find(([id]) => id === brokerId)?.[1].epoch ?? -1,
      metadataOffset: cluster.index,
      wantFence: false,
      wantShutDown: false,
      ...more
    })
}
/** A founded cluster with brokers 1 to n, unfenced. */
export const up = (brokers: number): Cluster =>
  given(Command.FoundCluster({ clusterId: "cluster-1" }), ...Array.from({ length: brokers }, (_, n) => [register(n + 1), heartbeat(n + 1)]).flat())

/** A topic of a snapshot, with 0 for the epochs of changes of its partitions. */
export const withoutPartitionEpochs = (topic: TopicRow) => ({
  ...topic,
  partitions: topic.partitions.map(([replicas, isr, leader, leaderEpoch, , ...rest]) => [replicas, isr, leader, leaderEpoch, 0, ...rest])
})
