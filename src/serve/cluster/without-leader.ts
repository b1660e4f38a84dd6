import { errorCode } from "../../../domain/kernel/error-code.ts"
import { OffsetCommit } from "../../protocol/message/08-offset-commit.ts"
import { OffsetFetch } from "../../protocol/message/09-offset-fetch.ts"
import { JoinGroup } from "../../protocol/message/11-join-group.ts"
import { Heartbeat } from "../../protocol/message/12-heartbeat.ts"
import { LeaveGroup } from "../../protocol/message/13-leave-group.ts"
import { SyncGroup } from "../../protocol/message/14-sync-group.ts"
import { DescribeGroups } from "../../protocol/message/15-describe-groups.ts"
import { CreateTopics } from "../../protocol/message/19-create-topics.ts"
import { DeleteTopics } from "../../protocol/message/20-delete-topics.ts"
import { AlterConfigs } from "../../protocol/message/33-alter-configs.ts"
import { CreatePartitions } from "../../protocol/message/37-create-partitions.ts"
import { DeleteGroups } from "../../protocol/message/42-delete-groups.ts"
import { ElectLeaders } from "../../protocol/message/43-elect-leaders.ts"
import { IncrementalAlterConfigs } from "../../protocol/message/44-incremental-alter-configs.ts"
import { AlterPartitionReassignments } from "../../protocol/message/45-alter-partition-reassignments.ts"
import { ListPartitionReassignments } from "../../protocol/message/46-list-partition-reassignments.ts"
import { OffsetDelete } from "../../protocol/message/47-offset-delete.ts"
import { DescribeQuorum } from "../../protocol/message/55-describe-quorum.ts"
import { UnregisterBroker } from "../../protocol/message/64-unregister-broker.ts"
import type { AnyApi, RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import type { RequestContext } from "../../wire/route.ts"

/** What a node answers to a request that only the cluster's leader can answer, where it is not the leader and gets no answer from it. */
export interface WithoutLeader<A extends AnyApi> {
  readonly api: A
  readonly answer: (request: RequestOf<A>, context: Pick<RequestContext, "version">) => ResponseDraft<A>
}

const withoutLeader = <A extends AnyApi>(api: A, answer: WithoutLeader<A>["answer"]): WithoutLeader<A> => ({ api, answer })

/** The first version of OffsetFetch with several groups in a request. */
const batchSince = 8
/** The first version of ElectLeaders with an error for the whole response. */
const electionErrorSince = 1

const controller = errorCode("NOT_CONTROLLER")
const coordinator = errorCode("COORDINATOR_NOT_AVAILABLE")
const noOffset = (partitionIndex: number) => ({ partitionIndex, committedOffset: -1n, metadata: null, errorCode: coordinator })

/** The answers of groups: clients find the coordinator again after COORDINATOR_NOT_AVAILABLE. */
export const groupsWithoutLeader = (errorMessage: string) => ({
  offsetCommit: withoutLeader(OffsetCommit, ({ topics }) => ({
    topics: topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: coordinator }))
    }))
  })),
  offsetFetch: withoutLeader(OffsetFetch, ({ groups, topics }, { version }) => ({
    errorCode: version >= batchSince ? 0 : coordinator,
    // Version 1 has errors of partitions only.
    topics: version >= batchSince ? [] : (topics ?? []).map(({ name, partitionIndexes }) => ({ name, partitions: partitionIndexes.map(noOffset) })),
    groups: groups.map(({ groupId }) => ({ groupId, topics: [], errorCode: coordinator }))
  })),
  joinGroup: withoutLeader(JoinGroup, ({ memberId }, { version }) => ({
    errorCode: coordinator,
    protocolName: version >= 7 ? null : "",
    leader: "",
    memberId,
    members: []
  })),
  syncGroup: withoutLeader(SyncGroup, () => ({ errorCode: coordinator, assignment: new Uint8Array(0) })),
  heartbeat: withoutLeader(Heartbeat, () => ({ errorCode: coordinator })),
  leaveGroup: withoutLeader(LeaveGroup, () => ({ errorCode: coordinator })),
  describeGroups: withoutLeader(DescribeGroups, ({ groups }, { version }) => ({
    groups: groups.map((groupId) => ({
      errorCode: coordinator,
      ...(version >= 6 ? { errorMessage } : {}),
      groupId,
      groupState: "",
      protocolType: "",
      protocolData: "",
      members: []
    }))
  })),
  deleteGroups: withoutLeader(DeleteGroups, ({ groupsNames }) => ({
    results: groupsNames.map((groupId) => ({ groupId, errorCode: coordinator, errorMessage }))
  })),
  offsetDelete: withoutLeader(OffsetDelete, () => ({ errorCode: coordinator, topics: [] }))
})

/** The answers of administration: clients refresh their metadata after NOT_CONTROLLER. */
export const administrationWithoutLeader = (errorMessage: string) => {
  const resource = ({ resourceName, resourceType }: { readonly resourceType: number; readonly resourceName: string }) => ({
    errorCode: controller,
    errorMessage,
    resourceType,
    resourceName
  })
  return {
    createTopics: withoutLeader(CreateTopics, ({ topics }) => ({ topics: topics.map(({ name }) => ({ name, errorCode: controller, errorMessage })) })),
    deleteTopics: withoutLeader(DeleteTopics, ({ topicNames, topics }, { version }) => ({
      responses:
        version >= 6
          ? topics.map(({ name, topicId }) => ({ name, topicId, errorCode: controller, errorMessage }))
          : topicNames.map((name) => ({ name, errorCode: controller, errorMessage }))
    })),
    alterConfigs: withoutLeader(AlterConfigs, ({ resources }) => ({ responses: resources.map(resource) })),
    incrementalAlterConfigs: withoutLeader(IncrementalAlterConfigs, ({ resources }) => ({ responses: resources.map(resource) })),
    createPartitions: withoutLeader(CreatePartitions, ({ topics }) => ({
      results: topics.map(({ name }) => ({ name, errorCode: controller, errorMessage }))
    })),
    electLeaders: withoutLeader(ElectLeaders, ({ topicPartitions }, { version }) => ({
      errorCode: version >= electionErrorSince ? controller : 0,
      replicaElectionResults: (topicPartitions ?? []).map(({ partitions, topic }) => ({
        topic,
        partitionResult: partitions.map((partitionId) => ({ partitionId, errorCode: controller, errorMessage }))
      }))
    })),
    alterPartitionReassignments: withoutLeader(AlterPartitionReassignments, () => ({ errorCode: controller, errorMessage, responses: [] })),
    listPartitionReassignments: withoutLeader(ListPartitionReassignments, () => ({ errorCode: controller, errorMessage, topics: [] })),
    unregisterBroker: withoutLeader(UnregisterBroker, () => ({ errorCode: controller, errorMessage })),
    describeQuorum: withoutLeader(DescribeQuorum, () => ({ errorCode: controller, errorMessage, topics: [] }))
  }
}
