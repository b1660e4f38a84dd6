import { OffsetCommit } from "../../../../src/protocol/message/08-offset-commit.ts"
import { OffsetFetch } from "../../../../src/protocol/message/09-offset-fetch.ts"
import { JoinGroup } from "../../../../src/protocol/message/11-join-group.ts"
import { Heartbeat } from "../../../../src/protocol/message/12-heartbeat.ts"
import { LeaveGroup } from "../../../../src/protocol/message/13-leave-group.ts"
import { SyncGroup } from "../../../../src/protocol/message/14-sync-group.ts"
import { DescribeGroups } from "../../../../src/protocol/message/15-describe-groups.ts"
import { ListGroups } from "../../../../src/protocol/message/16-list-groups.ts"
import { DeleteGroups } from "../../../../src/protocol/message/42-delete-groups.ts"
import { OffsetDelete } from "../../../../src/protocol/message/47-offset-delete.ts"
import { zeroUuid } from "../../../../src/protocol/type/wire.ts"
import { range, type Scenario, type Side } from "./side.ts"

/** A subscription in the consumer's own format, version 0: one topic, no user data. */
const subscription = (...topics: ReadonlyArray<string>): Uint8Array => {
  const names = topics.map((topic) => Buffer.concat([Buffer.from([0, topic.length]), Buffer.from(topic)]))
  return new Uint8Array(Buffer.concat([Buffer.from([0, 0, 0, 0, 0, topics.length]), ...names, Buffer.from([255, 255, 255, 255])]))
}
const bytes = (text: string) => new Uint8Array(Buffer.from(text))
/** Longer than all scenarios take, ms: no member expires and no rebalance ends by time while the responses are compared. */
export const neverMs = 300_000
const joining = (groupId: string, memberId = "", more: object = {}) => ({
  groupId,
  memberId,
  sessionTimeoutMs: neverMs,
  rebalanceTimeoutMs: neverMs,
  protocolType: "consumer",
  protocols: [{ name: "range", metadata: subscription("t") }],
  ...more
})

/** A member that is alone in its group, and stable; its id and generation. */
const alone = async (side: Side, groupId: string, topic = "t"): Promise<{ readonly memberId: string; readonly generation: number }> => {
  const protocols = [{ name: "range", metadata: subscription(topic) }]
  const first = await side.call(JoinGroup, 5, joining(groupId, "", { protocols }))
  const memberId = side.know(first.memberId, `only member of ${groupId}`)
  const joined = await side.call(JoinGroup, 5, joining(groupId, memberId, { protocols }))
  await side.call(SyncGroup, 3, { groupId, generationId: joined.generationId, memberId, assignments: [{ memberId, assignment: bytes("mine") }] })
  return { memberId, generation: joined.generationId }
}

export const joinForms: Scenario = async (side) => {
  for (const version of range(0, 3)) {
    const answer = await side.call(JoinGroup, version, joining(`join-${version}`))
    side.know(answer.memberId, `member of join-${version}`)
    side.note(`new v${version}`, answer)
  }
  for (const version of range(4, 9)) {
    const first = await side.call(JoinGroup, version, joining(`join-${version}`))
    side.know(first.memberId, `member of join-${version}`)
    side.note(`new v${version}`, first)
    await side.ask(`with its id v${version}`, JoinGroup, version, joining(`join-${version}`, first.memberId, { reason: "because" }))
    await side.ask(`with its id again v${version}`, JoinGroup, version, joining(`join-${version}`, first.memberId))
  }
  await side.ask("empty group", JoinGroup, 5, joining(""))
  await side.ask("empty group v7", JoinGroup, 7, joining(""))
  await side.ask("short session", JoinGroup, 5, joining("j", "", { sessionTimeoutMs: 1 }))
  await side.ask("long session", JoinGroup, 5, joining("j", "", { sessionTimeoutMs: 2_000_000_000 }))
  await side.ask("unknown member of no group", JoinGroup, 5, joining("j-none", "stranger"))
  await side.ask("no protocols", JoinGroup, 5, joining("j-1", "", { protocols: [] }))
  await side.ask("no protocol type", JoinGroup, 5, joining("j-2", "", { protocolType: "" }))
  await side.ask("no protocols v7", JoinGroup, 7, joining("j-3", "", { protocols: [] }))
  await side.ask("no protocols v0", JoinGroup, 0, joining("j-3", "", { protocols: [] }))
  const { memberId } = await alone(side, "joined")
  await side.ask("another type", JoinGroup, 5, joining("joined", "", { protocolType: "connect" }))
  await side.ask("another type v9", JoinGroup, 9, joining("joined", memberId, { protocolType: "connect" }))
  await side.ask("another assignor", JoinGroup, 5, joining("joined", "", { protocols: [{ name: "sticky", metadata: bytes("x") }] }))
  await side.ask("unknown member", JoinGroup, 5, joining("joined", "stranger"))
  await side.ask("unknown instance with id", JoinGroup, 5, joining("joined", "stranger", { groupInstanceId: "i" }))
  await side.ask("the leader again", JoinGroup, 5, joining("joined", memberId))
}

export const staticMembers: Scenario = async (side) => {
  const me = { groupInstanceId: "instance" }
  const first = await side.call(JoinGroup, 5, joining("static", "", me))
  side.know(first.memberId, "first")
  side.note("new", first)
  const sync = {
    groupId: "static",
    generationId: first.generationId,
    groupInstanceId: "instance",
    assignments: [{ memberId: first.memberId, assignment: bytes("mine") }]
  }
  await side.ask("sync", SyncGroup, 5, { ...sync, memberId: first.memberId, protocolType: "consumer", protocolName: "range" })
  const second = await side.call(JoinGroup, 9, joining("static", "", me))
  side.know(second.memberId, "second")
  side.note("replaced", second)
  await side.ask("sync of the first", SyncGroup, 5, { ...sync, memberId: first.memberId })
  await side.ask("sync of the second", SyncGroup, 5, { ...sync, memberId: second.memberId, generationId: second.generationId })
  const beat = { groupId: "static", generationId: second.generationId }
  await side.ask("heartbeat of the first", Heartbeat, 4, { ...beat, memberId: first.memberId, ...me })
  await side.ask("heartbeat of the first without instance", Heartbeat, 4, { ...beat, memberId: first.memberId })
  await side.ask("heartbeat of the second", Heartbeat, 4, { ...beat, memberId: second.memberId, ...me })
  await side.ask("heartbeat of the second without instance", Heartbeat, 4, { ...beat, memberId: second.memberId })
  await side.ask("heartbeat of another instance", Heartbeat, 4, { ...beat, memberId: second.memberId, groupInstanceId: "other" })
  await side.ask("join of the first", JoinGroup, 5, joining("static", first.memberId, me))
  await side.ask("describe", DescribeGroups, 5, { groups: ["static"] })
  const third = await side.call(JoinGroup, 5, joining("static", "", me))
  side.know(third.memberId, "third")
  side.note("replaced v5", third)
  await side.ask("leave of the first", LeaveGroup, 5, { groupId: "static", members: [{ memberId: first.memberId, groupInstanceId: "instance" }] })
  await side.ask("leave of an unknown instance", LeaveGroup, 5, { groupId: "static", members: [{ memberId: "", groupInstanceId: "none" }] })
  await side.ask("leave of an empty member id", LeaveGroup, 5, { groupId: "static", members: [{ memberId: "" }] })
  await side.ask("leave by instance", LeaveGroup, 5, { groupId: "static", members: [{ memberId: "", groupInstanceId: "instance" }] })
}

export const syncAndHeartbeat: Scenario = async (side) => {
  const { memberId, generation } = await alone(side, "synced")
  const sync = (label: string, more: object, version = 5) =>
    side.ask(label, SyncGroup, version, { groupId: "synced", generationId: generation, memberId, assignments: [], ...more })
  for (const version of range(0, 5)) await sync(`again v${version}`, {}, version)
  await sync("names", { protocolType: "consumer", protocolName: "range" })
  await sync("another type", { protocolType: "connect", protocolName: "range" })
  await sync("another assignor", { protocolType: "consumer", protocolName: "sticky" })
  await sync("old generation", { generationId: generation - 1 })
  await sync("future generation", { generationId: generation + 1 })
  await sync("unknown member", { memberId: "stranger" })
  await sync("empty member", { memberId: "" })
  await sync("unknown group", { groupId: "no-such-group" })
  await sync("empty group", { groupId: "" })
  await sync("unknown instance", { groupInstanceId: "i" })
  const beat = (label: string, more: object, version = 4) =>
    side.ask(label, Heartbeat, version, { groupId: "synced", generationId: generation, memberId, ...more })
  for (const version of range(0, 4)) await beat(`heartbeat v${version}`, {}, version)
  await beat("heartbeat, old generation", { generationId: 0 })
  await beat("heartbeat, unknown member", { memberId: "stranger" })
  await beat("heartbeat, unknown group", { groupId: "no-such-group" })
  await beat("heartbeat, empty group", { groupId: "" })
  await beat("heartbeat, unknown instance", { groupInstanceId: "i" })
  const pending = await side.call(JoinGroup, 5, joining("synced"))
  await beat("heartbeat of a pending member", { memberId: side.know(pending.memberId, "pending") })
  await beat("heartbeat beside a pending member", {})
  await sync("sync of a pending member", { memberId: pending.memberId })
  await beat("heartbeat after its sync", {})
  await side.ask("join of a pending member as static", JoinGroup, 5, joining("synced", pending.memberId, { groupInstanceId: "i" }))
  await beat("heartbeat after its join", {})
  await side.ask("leave of a pending member", LeaveGroup, 3, { groupId: "synced", members: [{ memberId: pending.memberId }] })
  await beat("heartbeat afterwards", {})
}

/** Two members: what each sees while the other joins, syncs and leaves. */
export const rounds: Scenario = async (side) => {
  const { memberId, generation } = await alone(side, "rounds")
  const other = await side.another()
  const pending = await other.call(JoinGroup, 5, joining("rounds"))
  const newcomer = side.know(pending.memberId, "newcomer")
  const joined = other.call(JoinGroup, 5, joining("rounds", newcomer))
  const beat = { groupId: "rounds", generationId: generation, memberId }
  for (let code = 0; code === 0; ) code = (await side.call(Heartbeat, 4, beat)).errorCode
  await side.ask("heartbeat while it rebalances", Heartbeat, 4, beat)
  await side.ask("sync while it rebalances", SyncGroup, 3, { ...beat, assignments: [] })
  await side.ask("commit while it rebalances", OffsetCommit, 7, { groupId: "rounds", generationIdOrMemberEpoch: generation, memberId, topics: [] })
  await side.ask("describe while it rebalances", DescribeGroups, 5, { groups: ["rounds"] })
  const again = await side.call(JoinGroup, 5, joining("rounds", memberId))
  side.note("leader's answer", again)
  side.note("follower's answer", await joined)
  const next = { groupId: "rounds", generationId: again.generationId }
  await side.ask("heartbeat before the sync", Heartbeat, 4, { ...next, memberId })
  await side.ask("commit before the sync", OffsetCommit, 7, {
    groupId: "rounds",
    generationIdOrMemberEpoch: again.generationId,
    memberId,
    topics: [{ name: "t", partitions: [{ partitionIndex: 0, committedOffset: 1n, committedMetadata: "" }] }]
  })
  await side.ask("describe before the sync", DescribeGroups, 5, { groups: ["rounds"] })
  await side.ask("follower joins again", JoinGroup, 5, joining("rounds", newcomer), other)
  const followers = other.call(SyncGroup, 3, { ...next, memberId: newcomer, assignments: [] })
  const assignments = [{ memberId, assignment: bytes("one") }]
  await side.ask("leader's sync", SyncGroup, 3, { ...next, memberId, assignments })
  side.note("follower's sync, nothing assigned", await followers)
  await side.ask("follower joins a stable group again", JoinGroup, 9, joining("rounds", newcomer), other)
  await side.ask("describe when it is stable", DescribeGroups, 5, { groups: ["rounds"], includeAuthorizedOperations: true })
  await side.ask("follower leaves", LeaveGroup, 1, { groupId: "rounds", memberId: newcomer }, other)
  await side.ask("heartbeat after that", Heartbeat, 4, { ...next, memberId })
  await side.ask("commit of who left", OffsetCommit, 7, {
    groupId: "rounds",
    generationIdOrMemberEpoch: again.generationId,
    memberId: newcomer,
    topics: [{ name: "t", partitions: [{ partitionIndex: 0, committedOffset: 1n, committedMetadata: "" }] }]
  })
  other.close()
}

export const leaving: Scenario = async (side) => {
  for (const version of range(0, 5)) {
    const group = `leave-${version}`
    const { memberId } = await alone(side, group)
    const draft = (id: string) => (version >= 3 ? { groupId: group, members: [{ memberId: id }] } : { groupId: group, memberId: id })
    await side.ask(`stranger v${version}`, LeaveGroup, version, draft("stranger"))
    await side.ask(`member v${version}`, LeaveGroup, version, draft(memberId))
    await side.ask(`again v${version}`, LeaveGroup, version, draft(memberId))
  }
  await side.ask("unknown group", LeaveGroup, 2, { groupId: "no-such-group", memberId: "m" })
  await side.ask("unknown group v3", LeaveGroup, 3, { groupId: "no-such-group", members: [{ memberId: "m" }] })
  await side.ask("empty group", LeaveGroup, 3, { groupId: "", members: [{ memberId: "m" }] })
  await side.ask("no members", LeaveGroup, 3, { groupId: "leave-3", members: [] })
  const { memberId } = await alone(side, "leave-many")
  await side.ask("several", LeaveGroup, 5, { groupId: "leave-many", members: [{ memberId, reason: "done" }, { memberId: "stranger" }, { memberId }] })
}

const committing = (groupId: string, more: object = {}, partition: object = {}) => ({
  groupId,
  generationIdOrMemberEpoch: -1,
  memberId: "",
  topics: [{ name: "t", partitions: [{ partitionIndex: 0, committedOffset: 5n, committedMetadata: "m", ...partition }] }],
  ...more
})
const committed = (groupId: string) => ({ groupId, topics: [{ name: "t", partitionIndexes: [0, 1] }] })

export const commits: Scenario = async (side) => {
  await side.each("simple", OffsetCommit, range(2, 9), (version) => committing(`simple-${version}`))
  await side.each("fetched", OffsetFetch, range(1, 7), (version) => committed(`simple-${Math.max(2, version)}`))
  const commit = (label: string, more: object, partition: object = {}, version = 7) => side.ask(label, OffsetCommit, version, committing("c", more, partition))
  await commit("unknown topic", { topics: [{ name: "nowhere", partitions: [{ partitionIndex: 0, committedOffset: 5n, committedMetadata: "" }] }] })
  await commit("illegal topic", { topics: [{ name: "no where", partitions: [{ partitionIndex: 0, committedOffset: 5n, committedMetadata: "" }] }] })
  await commit("unknown partition", {}, { partitionIndex: 9 })
  await commit("negative offset", {}, { committedOffset: -1n })
  await side.ask("fetched after a negative offset", OffsetFetch, 7, committed("c"))
  await commit("more negative offset", {}, { committedOffset: -5n })
  await commit("null metadata", {}, { committedMetadata: null, partitionIndex: 1 })
  await side.ask("fetched after null metadata", OffsetFetch, 7, committed("c"))
  await commit("longest metadata", {}, { committedMetadata: "x".repeat(4096) })
  await commit("too long metadata", {}, { committedMetadata: "x".repeat(4097) })
  await commit("with an epoch", {}, { committedLeaderEpoch: 3 })
  await side.ask("fetched with an epoch", OffsetFetch, 7, committed("c"))
  await commit("with a generation and no group", { groupId: "c-none", generationIdOrMemberEpoch: 3, memberId: "m" })
  await commit("with a generation and no group v9", { groupId: "c-none", generationIdOrMemberEpoch: 3, memberId: "m" }, {}, 9)
  await commit("with a generation alone", { groupId: "c-none", generationIdOrMemberEpoch: 3 })
  await commit("with a member alone", { groupId: "c-none", memberId: "m" })
  await commit("with an instance alone", { groupId: "c-none", groupInstanceId: "i" })
  await commit("empty group", { groupId: "" })
  await commit("no topics", { topics: [] })
  await commit("generation of an empty group", { groupId: "c", generationIdOrMemberEpoch: 1, memberId: "m" })
  const { generation, memberId } = await alone(side, "live")
  const live = (label: string, more: object, version = 7) => commit(label, { groupId: "live", ...more }, {}, version)
  await live("member", { generationIdOrMemberEpoch: generation, memberId })
  await live("old generation", { generationIdOrMemberEpoch: generation - 1, memberId })
  await live("future generation", { generationIdOrMemberEpoch: generation + 1, memberId })
  await live("unknown member", { generationIdOrMemberEpoch: generation, memberId: "stranger" })
  await live("simple into a living group", {})
  await live("generation -1 with a member", { memberId })
  await live("instance that is none", { generationIdOrMemberEpoch: generation, memberId, groupInstanceId: "i" })
  await live("old generation v9", { generationIdOrMemberEpoch: generation - 1, memberId }, 9)
  await live("unknown member v9", { generationIdOrMemberEpoch: generation, memberId: "stranger" }, 9)
}

export const commitsById: Scenario = async (side) => {
  const id = await side.topic("by-id", 2)
  const partitions = [
    { partitionIndex: 0, committedOffset: 5n, committedMetadata: "m" },
    { partitionIndex: 8, committedOffset: 5n, committedMetadata: "m" }
  ]
  const commit = (label: string, topicId: string) => side.ask(label, OffsetCommit, 10, { groupId: "ids", memberId: "", topics: [{ topicId, partitions }] })
  await commit("known", id)
  await commit("unknown", "AAAAAAAAAAAAAAAAAAAAZg")
  await commit("zero", zeroUuid)
  const fetch = (label: string, topicId: string) =>
    side.ask(label, OffsetFetch, 10, { groups: [{ groupId: "ids", topics: [{ topicId, partitionIndexes: [0, 1, 8] }] }] })
  await fetch("fetched", id)
  await fetch("fetched, unknown", "AAAAAAAAAAAAAAAAAAAAZg")
  await fetch("fetched, zero", zeroUuid)
  await side.ask("all", OffsetFetch, 10, { groups: [{ groupId: "ids", topics: null }] })
}

export const offsetFetches: Scenario = async (side) => {
  await side.call(OffsetCommit, 7, committing("kept"))
  await side.each("one", OffsetFetch, range(1, 7), () => committed("kept"))
  await side.each("all", OffsetFetch, range(2, 7), () => ({ groupId: "kept", topics: null }))
  await side.each("none", OffsetFetch, range(1, 7), () => ({ groupId: "kept", topics: [] }))
  const two = (version: number) => ({
    groups: [
      { groupId: "kept", topics: [{ name: "t", partitionIndexes: [0, 3] }] },
      { groupId: "no-such-group", topics: null }
    ],
    ...(version > 8 ? {} : {})
  })
  await side.each("groups", OffsetFetch, [8, 9], two)
  await side.each("all of several", OffsetFetch, [8, 9], () => ({ groups: [{ groupId: "kept", topics: null }] }))
  await side.ask("no groups", OffsetFetch, 8, { groups: [] })
  await side.ask("a group twice", OffsetFetch, 8, {
    groups: [
      { groupId: "kept", topics: null },
      { groupId: "kept", topics: null }
    ]
  })
  await side.ask("unknown group", OffsetFetch, 7, committed("no-such-group"))
  await side.ask("unknown group, all", OffsetFetch, 7, { groupId: "no-such-group", topics: null })
  await side.ask("empty group", OffsetFetch, 7, committed(""))
  await side.ask("empty group v8", OffsetFetch, 8, { groups: [{ groupId: "", topics: [{ name: "t", partitionIndexes: [0] }] }] })
  await side.ask("unknown topic", OffsetFetch, 7, { groupId: "kept", topics: [{ name: "nowhere", partitionIndexes: [0] }] })
  await side.ask("stable", OffsetFetch, 7, { ...committed("kept"), requireStable: true })
  await side.ask("member and epoch", OffsetFetch, 9, {
    groups: [{ groupId: "kept", memberId: "m", memberEpoch: 3, topics: [{ name: "t", partitionIndexes: [0] }] }]
  })
  const { memberId } = await alone(side, "kept-alive")
  await side.ask("member of a classic group and epoch", OffsetFetch, 9, {
    groups: [{ groupId: "kept-alive", memberId, memberEpoch: 3, topics: [{ name: "t", partitionIndexes: [0] }] }]
  })
}

export const groupsSeen: Scenario = async (side) => {
  await side.call(OffsetCommit, 7, committing("seen-simple"))
  const { memberId } = await alone(side, "seen")
  await side.call(JoinGroup, 5, joining("seen-pending"))
  await alone(side, "seen-left").then(({ memberId: left }) => side.call(LeaveGroup, 1, { groupId: "seen-left", memberId: left }))
  const groups = ["seen", "seen-simple", "seen-pending", "seen-left", "no-such-group"]
  await side.each("describe", DescribeGroups, range(0, 6), () => ({ groups }))
  await side.ask("describe, operations", DescribeGroups, 5, { groups, includeAuthorizedOperations: true })
  await side.ask("describe, empty name", DescribeGroups, 5, { groups: [""] })
  await side.ask("describe, empty name v6", DescribeGroups, 6, { groups: [""] })
  await side.ask("describe, twice", DescribeGroups, 5, { groups: ["seen", "seen"] })
  await side.ask("describe, none", DescribeGroups, 5, { groups: [] })
  const list = async (label: string, filters: object, version = 5) => {
    const answer = await side.call(ListGroups, version, filters)
    side.note(label, { ...answer, groups: answer.groups.filter(({ groupId }) => groupId.startsWith("seen")) })
  }
  for (const version of range(0, 5)) await list(`list v${version}`, {}, version)
  for (const state of ["Stable", "stable", "Empty", "Dead", "PreparingRebalance", "Nonsense", ""]) await list(`list '${state}'`, { statesFilter: [state] }, 4)
  await list("list two states", { statesFilter: ["Stable", "Empty"] })
  for (const type of ["classic", "Classic", "consumer", "share", "nonsense"]) await list(`list type ${type}`, { typesFilter: [type] })
  const remove = (label: string, names: ReadonlyArray<string>, version = 2) => side.ask(label, DeleteGroups, version, { groupsNames: names })
  await remove("delete, living", ["seen"])
  await remove("delete, unknown", ["no-such-group"])
  await remove("delete, empty name", [""])
  await remove("delete, twice", ["no-such-group", "no-such-group"])
  await remove("delete, pending", ["seen-pending"])
  for (const version of [0, 1]) await remove(`delete, unknown v${version}`, ["no-such-group"], version)
  await remove("delete, empty and living", ["seen-left", "seen-simple", "seen"])
  await remove("delete, none", [])
  await side.ask("describe afterwards", DescribeGroups, 5, { groups: ["seen-left", "seen-simple"] })
  await side.ask("fetched afterwards", OffsetFetch, 7, committed("seen-simple"))
  side.know(memberId, "seen member")
}

export const offsetDeletes: Scenario = async (side) => {
  await side.topic("u", 2)
  const partitions = [0, 1].map((partitionIndex) => ({ partitionIndex, committedOffset: 5n, committedMetadata: "" }))
  const topics = ["t", "u"].map((name) => ({ name, partitions }))
  await side.call(OffsetCommit, 7, { groupId: "forgets", memberId: "", topics })
  const { generation, memberId } = await alone(side, "forgets-alive")
  await side.call(OffsetCommit, 7, { groupId: "forgets-alive", memberId, generationIdOrMemberEpoch: generation, topics })
  const remove = (label: string, groupId: string, name: string, ...indexes: ReadonlyArray<number>) =>
    side.ask(label, OffsetDelete, 0, { groupId, topics: [{ name, partitions: indexes.map((partitionIndex) => ({ partitionIndex })) }] })
  await remove("one", "forgets", "t", 0)
  await remove("again", "forgets", "t", 0)
  await remove("unknown partition", "forgets", "t", 1, 9)
  await remove("unknown topic", "forgets", "nowhere", 0)
  await remove("unknown group", "no-such-group", "t", 0)
  await remove("unknown group, unknown topic", "no-such-group", "nowhere", 0)
  await remove("empty group", "", "t", 0)
  await remove("subscribed", "forgets-alive", "t", 0)
  await remove("not subscribed", "forgets-alive", "u", 0)
  await side.ask("left over", OffsetFetch, 7, { groupId: "forgets", topics: null })
  await side.ask("left over in the living", OffsetFetch, 7, { groupId: "forgets-alive", topics: null })
}
