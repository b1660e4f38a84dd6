import { Either } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { decide } from "../../../domain/cluster/decide.ts"
import type { Event } from "../../../domain/cluster/event.ts"
import { evolve } from "../../../domain/cluster/evolve.ts"
import { type Cluster, initial } from "../../../domain/cluster/state.ts"
import { fold } from "../../../domain/kernel/decider.ts"
import type { TopicId } from "../../../domain/kernel/id.ts"

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

/** The events of a command, which must not be refused. */
export const eventsOf = (cluster: Cluster, command: Command): ReadonlyArray<Event> =>
  Either.getOrThrowWith(decide(cluster, command), ({ error, message }) => new Error(`${error}: ${message}`))

/** The state after commands, none of which may be refused. */
export const given = (...commands: ReadonlyArray<Command | ((cluster: Cluster) => Command)>): Cluster => {
  let cluster = initial
  for (const next of commands) cluster = fold(evolve, cluster, eventsOf(cluster, typeof next === "function" ? next(cluster) : next))
  return cluster
}
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
