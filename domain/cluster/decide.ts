import { Either } from "effect"
import { bug } from "../kernel/bug.ts"
import { type ByTag, type Decider, entryOf } from "../kernel/decider.ts"
import type { Rejection } from "../kernel/error-code.ts"
import { allocateProducerIds, brokerHeartbeat, fenceBroker, forgetBroker, unregisterBroker } from "./broker/decide.ts"
import { registerBroker } from "./broker/registration.ts"
import type { Command } from "./command.ts"
import { changeNodeConfigs, changeTopicConfigs, fixMinInSyncReplicas } from "./config/decide.ts"
import { changeResourceConfigs } from "./config/resource.ts"
import type { Decision } from "./decision.ts"
import { ClusterFounded, type Event, GroupStreamsFixed, LeaderElected } from "./event.ts"
import { levelOfEvent, raiseEventLevel } from "./event-level.ts"
import { evolve } from "./evolve.ts"
import { disownReplicas, reportLostRecords } from "./replication/disown.ts"
import { balanceLeaders, electLeaders } from "./replication/elections.ts"
import { alterInSyncSets } from "./replication/in-sync.ts"
import { cancelReassignment, reassignPartitions } from "./replication/reassignment.ts"
import { replaceBroker } from "./replication/replacement.ts"
import { type Cluster, initial } from "./state.ts"
import { addGroupPartitions, addPartitions, addTopic, removeTopic } from "./topic/decide.ts"

const decisions: ByTag<Cluster, Command, Decision> = {
  FoundCluster: (cluster, { clusterId }) => Either.right(cluster.clusterId === undefined ? [new ClusterFounded({ clusterId })] : []),
  FixGroupStreams: (cluster, { count }) => Either.right(cluster.groupStreams === undefined ? [new GroupStreamsFixed({ count })] : []),
  FixMinInSyncReplicas: fixMinInSyncReplicas,
  ElectLeader: (_, { nodeId, host, port, epoch }) => Either.right([new LeaderElected({ nodeId, host, port, epoch })]),
  RegisterBroker: registerBroker,
  BrokerHeartbeat: brokerHeartbeat,
  FenceBroker: fenceBroker,
  ForgetBroker: forgetBroker,
  UnregisterBroker: unregisterBroker,
  AddTopic: addTopic,
  AddGroupPartitions: addGroupPartitions,
  AddPartitions: addPartitions,
  ChangeTopicConfigs: changeTopicConfigs,
  ChangeNodeConfigs: changeNodeConfigs,
  ChangeResourceConfigs: changeResourceConfigs,
  RemoveTopic: removeTopic,
  RaiseEventLevel: raiseEventLevel,
  AlterInSyncSets: alterInSyncSets,
  ElectLeaders: electLeaders,
  BalanceLeaders: balanceLeaders,
  ReassignPartitions: reassignPartitions,
  CancelReassignment: cancelReassignment,
  DisownReplicas: disownReplicas,
  ReplaceBroker: replaceBroker,
  ReportLostRecords: reportLostRecords,
  AllocateProducerIds: allocateProducerIds
}

/** M3: an event above the cluster's level would stop every older node that reads it. */
const assertLevels = ({ eventLevel }: Cluster, events: ReadonlyArray<Event>): void => {
  let level = eventLevel
  for (const event of events) {
    if (levelOfEvent(event) > level) bug(`${event._tag} has event level ${levelOfEvent(event)}, the cluster is at ${level}`)
    if (event._tag === "EventLevelRaised") level = event.level
  }
}

/**
 * Returns what happens in the cluster because of `command`, or why nothing does. Without events the cluster is so
 * already, or the command only checks.
 */
export const decide = (cluster: Cluster, command: Command): Decision => {
  const decided = entryOf(decisions, command)(cluster, command)
  if (Either.isRight(decided)) assertLevels(cluster, decided.right)
  return decided
}

export const clusterDecider: Decider<Cluster, Command, Event, Rejection> = { initial, decide, evolve }
