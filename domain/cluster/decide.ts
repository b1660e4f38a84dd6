import { Either, Match } from "effect"
import type { Decider } from "../kernel/decider.ts"
import type { Rejection } from "../kernel/error-code.ts"
import { allocateProducerIds, brokerHeartbeat, fenceBroker, forgetBroker, unregisterBroker } from "./broker/decide.ts"
import { registerBroker } from "./broker/registration.ts"
import type { Command } from "./command.ts"
import { changeNodeConfigs, changeTopicConfigs } from "./config/decide.ts"
import { changeResourceConfigs } from "./config/resource.ts"
import { ClusterFounded, type Event, GroupStreamsFixed, LeaderElected } from "./event.ts"
import { evolve } from "./evolve.ts"
import { type Cluster, initial } from "./state.ts"
import { addPartitions, addTopic, removeTopic } from "./topic/decide.ts"

/** What happens in the cluster because of `command`, or why nothing does. An empty list: it is so already, or was only to be checked. */
export const decide = (cluster: Cluster, command: Command): Either.Either<ReadonlyArray<Event>, Rejection> =>
  Match.valueTags(command, {
    FoundCluster: ({ clusterId }) => Either.right(cluster.clusterId === undefined ? [new ClusterFounded({ clusterId })] : []),
    FixGroupStreams: ({ count }) => Either.right(cluster.groupStreams === undefined ? [new GroupStreamsFixed({ count })] : []),
    ElectLeader: ({ nodeId, host, port, epoch }) => Either.right([new LeaderElected({ nodeId, host, port, epoch })]),
    RegisterBroker: (command) => registerBroker(cluster, command),
    BrokerHeartbeat: (command) => brokerHeartbeat(cluster, command),
    FenceBroker: (command) => fenceBroker(cluster, command),
    ForgetBroker: (command) => forgetBroker(cluster, command),
    UnregisterBroker: (command) => unregisterBroker(cluster, command),
    AddTopic: (command) => addTopic(cluster, command),
    AddPartitions: (command) => addPartitions(cluster, command),
    ChangeTopicConfigs: (command) => changeTopicConfigs(cluster, command),
    ChangeNodeConfigs: (command) => changeNodeConfigs(cluster, command),
    ChangeResourceConfigs: (command) => changeResourceConfigs(cluster, command),
    RemoveTopic: (command) => removeTopic(cluster, command),
    AllocateProducerIds: (command) => allocateProducerIds(cluster, command)
  })

export const clusterDecider: Decider<Cluster, Command, Event, Rejection> = { initial, decide, evolve }
