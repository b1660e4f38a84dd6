import { Either } from "effect"
import { readableBatches } from "../../../../domain/log/batch.ts"
import { decodeRecords, type Record } from "../../../../domain/log/record.ts"
import { decode } from "../../../../src/protocol/codec/compile.ts"
import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import { ListOffsets } from "../../../../src/protocol/message/02-list-offsets.ts"
import { Metadata } from "../../../../src/protocol/message/03-metadata.ts"
import { OffsetCommit } from "../../../../src/protocol/message/08-offset-commit.ts"
import { JoinGroup } from "../../../../src/protocol/message/11-join-group.ts"
import { LeaveGroup } from "../../../../src/protocol/message/13-leave-group.ts"
import { SyncGroup } from "../../../../src/protocol/message/14-sync-group.ts"
import { CreateTopics } from "../../../../src/protocol/message/19-create-topics.ts"
import { DeleteTopics } from "../../../../src/protocol/message/20-delete-topics.ts"
import { DeleteRecords } from "../../../../src/protocol/message/21-delete-records.ts"
import { DescribeConfigs } from "../../../../src/protocol/message/32-describe-configs.ts"
import { CreatePartitions } from "../../../../src/protocol/message/37-create-partitions.ts"
import { DeleteGroups } from "../../../../src/protocol/message/42-delete-groups.ts"
import { IncrementalAlterConfigs } from "../../../../src/protocol/message/44-incremental-alter-configs.ts"
import { OffsetDelete } from "../../../../src/protocol/message/47-offset-delete.ts"
import { GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue } from "../../../../src/protocol/message/consumer-offsets.ts"
import { encodeSubscription } from "../../../../src/protocol/message/consumer-protocol.ts"
import { until } from "../process.ts"
import { neverMs } from "./group.ts"
import { batch } from "./records.ts"
import type { Scenario, Side } from "./side.ts"

const offsets = "__consumer_offsets"

const errors = (side: Side, label: string, answers: ReadonlyArray<{ readonly errorCode: number }>): void =>
  side.note(label, { answers: answers.map(({ errorCode }) => ({ errorCode })) })

/** `__consumer_offsets` for clients: they read it, and only the coordinator writes to it. The comparison omits topics that begin with "__" from lists, so only errors are recorded. */
export const internalTopics: Scenario = async (side) => {
  const { topics } = await side.call(Metadata, 12, { topics: [{ name: offsets }] })
  side.note(
    "Metadata",
    topics.map(({ errorCode, isInternal }) => ({ errorCode, isInternal }))
  )
  const create = async (label: string, name: string, validateOnly: boolean) => {
    const topic = { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
    errors(side, label, (await side.call(CreateTopics, 7, { topics: [topic], timeoutMs: 10_000, validateOnly })).topics)
  }
  await create("create", offsets, false)
  await create("create, checked", offsets, true)
  for (const name of ["__transaction_state", "__share_group_state", "__cluster_metadata"]) await create(`create ${name}`, name, true)
  const produce = async (label: string, name: string) => {
    const request = { acks: -1, timeoutMs: 10_000, topicData: [{ name, partitionData: [{ index: 0, records: batch(1) }] }] }
    errors(
      side,
      label,
      (await side.call(Produce, 9, request)).responses.flatMap(({ partitionResponses }) => partitionResponses)
    )
  }
  await produce("produce", offsets)
  await produce("produce to __cluster_metadata", "__cluster_metadata")
  const removal = { topics: [{ name: offsets, partitions: [{ partitionIndex: 0, offset: -1n }] }], timeoutMs: 10_000 }
  errors(
    side,
    "delete records",
    (await side.call(DeleteRecords, 2, removal)).topics.flatMap(({ partitions }) => partitions)
  )
  const more = { topics: [{ name: offsets, count: 60, assignments: null }], timeoutMs: 10_000, validateOnly: true }
  errors(side, "create partitions", (await side.call(CreatePartitions, 3, more)).results)
  const described = await side.call(DescribeConfigs, 4, { resources: [{ resourceType: 2, resourceName: offsets, configurationKeys: ["cleanup.policy"] }] })
  side.note(
    "settings",
    described.results.map(({ configs, errorCode }) => ({ errorCode, values: configs.map(({ value }) => value) }))
  )
  const change = [{ name: "retention.ms", configOperation: 0, value: "1000" }]
  const altered = await side.call(IncrementalAlterConfigs, 1, { resources: [{ resourceType: 2, resourceName: offsets, configs: change }], validateOnly: true })
  errors(side, "alter", altered.responses)
  const read = async (label: string, partition: number, fetchOffset: bigint) => {
    const request = {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 1_000_000,
      topics: [{ topic: offsets, partitions: [{ partition, fetchOffset, partitionMaxBytes: 1_000_000 }] }]
    }
    errors(
      side,
      label,
      (await side.call(Fetch, 12, request)).responses.flatMap(({ partitions }) => partitions)
    )
  }
  await read("fetch", 0, 0n)
  await read("fetch beyond the end", 0, BigInt(Number.MAX_SAFE_INTEGER))
  await read("fetch, no such partition", 999, 0n)
  const list = async (label: string, partitionIndex: number, timestamp: bigint) => {
    const request = { replicaId: -1, topics: [{ name: offsets, partitions: [{ partitionIndex, timestamp }] }] }
    errors(
      side,
      label,
      (await side.call(ListOffsets, 7, request)).topics.flatMap(({ partitions }) => partitions)
    )
  }
  for (const timestamp of [-1n, -2n, -3n, 0n]) await list(`list ${timestamp}`, 0, timestamp)
  await list("list, no such partition", 999, -1n)
  const remove = async (label: string, name: string) =>
    errors(side, label, (await side.call(DeleteTopics, 5, { topicNames: [name], timeoutMs: 10_000 })).responses)
  await remove("delete __cluster_metadata", "__cluster_metadata")
}

/** The group that a record is about: its id is the first field of each type of key. */
const groupOf = ({ key }: Record): string => Either.getOrThrow(decode(GroupMetadataKey, 0, key ?? new Uint8Array(0), 2)).group

/** The fields of a record, without those that each side chooses: ids, times, the version of an offset (Kafka 4 writes topic ids). */
const told = ({ key, value }: Record): object => {
  const bytes = key ?? new Uint8Array(0)
  const type = Buffer.from(bytes).readInt16BE(0)
  const at = Either.getOrThrow(decode<object>(type === 1 ? OffsetCommitKey : GroupMetadataKey, 0, bytes, 2))
  if (value === null) return { ...at, tombstone: true }
  const version = Buffer.from(value).readInt16BE(0)
  if (type === 1) {
    const { expireTimestamp, leaderEpoch, metadata, offset } = Either.getOrThrow(decode(OffsetCommitValue, version, value, 2))
    return { ...at, offset, leaderEpoch, metadata, expires: expireTimestamp >= 0n }
  }
  const { leader, members, ...group } = Either.getOrThrow(decode(GroupMetadataValue, version, value, 2))
  const shown = members.map(({ memberId, ...member }) => ({ ...member, isLeader: memberId === leader, clientHost: member.clientHost }))
  return { ...at, ...group, currentStateTimestamp: group.currentStateTimestamp >= 0n, members: shown }
}

/** The records that Kafka's coordinator writes to `__consumer_offsets` while groups are active. */
export const offsetsRecords: Scenario = async (side) => {
  await side.topic("watched-topic", 2)
  const groupId = "watched group"
  const { topics } = await side.call(Metadata, 12, { topics: [{ name: offsets }] })
  const every = (topics[0]?.partitions ?? []).map(({ partitionIndex }) => ({ partitionIndex, timestamp: -1n }))
  const ends = async () => {
    const listed = await side.call(ListOffsets, 7, { replicaId: -1, topics: [{ name: offsets, partitions: every }] })
    return new Map(listed.topics[0]?.partitions.map(({ offset, partitionIndex }) => [partitionIndex, offset]))
  }
  const before = await ends()
  const commit = (label: string, version: number, more: object, ...partitions: ReadonlyArray<number>) => {
    const committed = partitions.map((partitionIndex) => ({
      partitionIndex,
      committedOffset: 7n,
      committedLeaderEpoch: version >= 6 ? 0 : -1,
      committedMetadata: label
    }))
    const by = { generationIdOrMemberEpoch: -1, memberId: "", ...more }
    return side.call(OffsetCommit, version, { groupId, ...by, topics: [{ name: "watched-topic", partitions: committed }] })
  }
  await until("the group is answered for", async () => (await commit("first", 8, {}, 0)).topics[0]?.partitions[0]?.errorCode === 0)
  await commit("two", 8, {}, 0, 1)
  await commit("expires", 2, { retentionTimeMs: 86_400_000n }, 0)
  const join = { groupId, sessionTimeoutMs: neverMs, rebalanceTimeoutMs: neverMs, protocolType: "consumer", groupInstanceId: "static" }
  const protocols = [{ name: "range", metadata: encodeSubscription({ topics: ["watched-topic"] }, 0) }]
  const { generationId, memberId } = await side.call(JoinGroup, 5, { ...join, memberId: "", protocols })
  await side.call(SyncGroup, 3, {
    groupId,
    generationId,
    memberId,
    groupInstanceId: "static",
    assignments: [{ memberId, assignment: new Uint8Array([1, 2, 3]) }]
  })
  await commit("by a member", 7, { generationIdOrMemberEpoch: generationId, memberId, groupInstanceId: "static" }, 1)
  const again = await side.call(JoinGroup, 5, { ...join, memberId: "", protocols })
  await side.call(LeaveGroup, 3, { groupId, members: [{ memberId: again.memberId, groupInstanceId: "static" }] })
  await side.call(OffsetDelete, 0, { groupId, topics: [{ name: "watched-topic", partitions: [{ partitionIndex: 1 }] }] })
  await side.call(DeleteGroups, 2, { groupsNames: [groupId] })
  // The sides may assign groups to different partitions, and members of scenarios before this one expire meanwhile: their groups' records are passed over.
  const moved = [...(await ends())].map(([partition, end]) => ({ partition, from: before.get(partition) ?? 0n, end })).filter(({ end, from }) => end !== from)
  const written: Array<Record> = []
  for (const { end, from, partition } of moved) {
    const wanted = { partition, fetchOffset: from, partitionMaxBytes: 1_000_000 }
    const fetched = await side.call(Fetch, 12, { maxWaitMs: 0, minBytes: 0, maxBytes: 1_000_000, topics: [{ topic: offsets, partitions: [wanted] }] })
    const batches = Either.getOrThrow(readableBatches(fetched.responses[0]?.partitions[0]?.records ?? new Uint8Array(0)))
    const records = batches.flatMap((each) => Either.getOrThrow(decodeRecords(each, each.records)))
    written.push(...records.filter(({ offset }) => offset >= Number(from) && offset < Number(end)))
  }
  const watched = written.filter((record) => groupOf(record) === groupId)
  // Each offset has a record: what is left when those of other groups are subtracted.
  const count = moved.reduce((sum, { end, from }) => sum + Number(end - from), 0) - (written.length - watched.length)
  side.note("count", { records: watched.length, offsets: count })
  for (const [index, record] of watched.entries()) side.note(`record ${index}`, { told: told(record) })
}
