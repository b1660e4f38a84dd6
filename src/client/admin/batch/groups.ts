import { Effect, Either } from "effect"
import type { Address } from "../../../ports/transport.ts"
import { LeaveGroup } from "../../../protocol/message/13-leave-group.ts"
import { DescribeGroups } from "../../../protocol/message/15-describe-groups.ts"
import { DeleteGroups } from "../../../protocol/message/42-delete-groups.ts"
import { ConsumerGroupDescribe } from "../../../protocol/message/69-consumer-group-describe.ts"
import { type Check, either, fields, groupName, listOf, oneOf, text } from "../../argument/check.ts"
import type { Client } from "../../cluster/client.ts"
import { type InvalidArgument, KafkaFailure } from "../../error.ts"
import { type GroupMember, memberOf } from "../groups.ts"
import { adminOptions, checked, itemsOf } from "./arguments.ts"
import { atCoordinators } from "./coordinators.ts"
import { type AdminOptions, type ItemError, type ItemResults, missing, perItem, resultOf } from "./items.ts"

/** A group with its members. Its offsets are `groupOffsets`. */
export interface GroupState {
  readonly group: string
  /** "classic", or "consumer" for groups of KIP-848. */
  readonly type: "classic" | "consumer"
  /** "Stable", "Empty", "PreparingRebalance", "Reconciling" … */
  readonly state: string
  /** "consumer" for groups of consumers. */
  readonly protocolType: string
  readonly assignor: string
  readonly members: ReadonlyArray<GroupMember>
}
/** A member of a group, by its id or by its group.instance.id. */
export type MemberReference = { readonly memberId: string } | { readonly instanceId: string }

export interface GroupsAdmin {
  /** The members of groups, of both protocols. */
  readonly describeGroups: (groups: ReadonlyArray<string>, options?: AdminOptions) => Effect.Effect<ItemResults<string, GroupState>, InvalidArgument>
  /** Deletes groups without members, and their offsets. */
  readonly deleteGroups: (groups: ReadonlyArray<string>, options?: AdminOptions) => Effect.Effect<ItemResults<string, void>, InvalidArgument>
  /** Removes members from a group: those that are named, or all. A member that runs joins again by itself. */
  readonly removeGroupMembers: (
    group: string,
    members: "all" | ReadonlyArray<MemberReference>,
    options?: AdminOptions
  ) => Effect.Effect<ItemResults<MemberReference, void>, ItemError | InvalidArgument>
}

const groupList = itemsOf(groupName, "groups' names", String)
const memberId = text(10_000)
const references: Check = either(
  oneOf("all"),
  listOf(either(fields<{ memberId: string }>({ memberId }), fields<{ instanceId: string }>({ instanceId: memberId })), "members", 1)
)

type Results = ReadonlyArray<Either.Either<GroupState, ItemError>>
const errorOf = (result: Either.Either<GroupState, ItemError>) => (Either.isLeft(result) && result.left._tag === "KafkaFailure" ? result.left.error : undefined)

const describeClassic = (client: Client, node: Address, groups: ReadonlyArray<string>): Effect.Effect<Results, ItemError> =>
  Effect.map(client.pool.call(node, DescribeGroups, { groups: [...groups] }), (response) =>
    groups.map((group) => {
      const one = response.groups.find(({ groupId }) => groupId === group)
      if (one === undefined) return missing(`The group '${group}'`)
      const what = `The group '${group}'`
      // Older clusters describe a group that is not there as dead, and without an error.
      if (one.errorCode === 0 && one.groupState === "Dead") return Either.left(new KafkaFailure({ error: "GROUP_ID_NOT_FOUND", what, detail: null }))
      const { groupState: state, protocolData: assignor, protocolType } = one
      return resultOf(one.errorCode, what, one.errorMessage, {
        group,
        type: "classic" as const,
        state,
        protocolType,
        assignor,
        members: one.members.map(memberOf)
      })
    })
  )

const describeNew = (client: Client, node: Address, groups: ReadonlyArray<string>): Effect.Effect<Results, ItemError> =>
  Effect.map(client.pool.call(node, ConsumerGroupDescribe, { groupIds: [...groups], includeAuthorizedOperations: false }), (response) =>
    groups.map((group) => {
      const one = response.groups.find(({ groupId }) => groupId === group)
      if (one === undefined) return missing(`The group '${group}'`)
      const members = one.members.map((member) => ({
        memberId: member.memberId,
        instanceId: member.instanceId,
        clientId: member.clientId,
        host: member.clientHost,
        topics: member.subscribedTopicNames,
        partitions: member.assignment.topicPartitions.flatMap(({ partitions, topicName }) => partitions.map((partition) => ({ topic: topicName, partition })))
      }))
      const state = { group, type: "consumer" as const, state: one.groupState, protocolType: "consumer", assignor: one.assignorName, members }
      return resultOf(one.errorCode, `The group '${group}'`, one.errorMessage, state)
    })
  )

/** Asks by the classic protocol, and by the one of KIP-848 for groups that are none of the classic protocol's. */
const describeAt =
  (client: Client) =>
  (node: Address, groups: ReadonlyArray<string>): Effect.Effect<Results, ItemError> =>
    Effect.gen(function* () {
      const classic = yield* describeClassic(client, node, groups)
      const others = groups.filter((_, index) => errorOf(classic[index] ?? missing("")) === "GROUP_ID_NOT_FOUND")
      if (others.length === 0) return classic
      const found = yield* Effect.option(describeNew(client, node, others))
      if (found._tag === "None") return classic
      const byGroup = new Map(others.map((group, index) => [group, found.value[index]]))
      return groups.map((group, index) => {
        const other = byGroup.get(group)
        return other !== undefined && Either.isRight(other) ? other : (classic[index] ?? missing(`The group '${group}'`))
      })
    })

const deleteAt =
  (client: Client) =>
  (node: Address, groups: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Either.Either<void, ItemError>>, ItemError> =>
    Effect.map(client.pool.call(node, DeleteGroups, { groupsNames: [...groups] }), ({ results }) =>
      groups.map((group) => {
        const one = results.find(({ groupId }) => groupId === group)
        return one === undefined ? missing(`The group '${group}'`) : resultOf(one.errorCode, `The group '${group}'`, one.errorMessage, undefined)
      })
    )

/** The first version that names several members. */
const severalMembersVersion = 3
const reason = "removed by an admin"
const nameOf = (member: MemberReference): string => ("memberId" in member ? member.memberId : member.instanceId)

const removeMembers = (client: Client, group: string, wanted: "all" | ReadonlyArray<MemberReference>, options: AdminOptions | undefined) =>
  Effect.gen(function* () {
    const listed = wanted !== "all" ? wanted : yield* membersOf(client, group, options)
    const members: ReadonlyArray<MemberReference> = listed
    return yield* perItem(client, {
      what: "LeaveGroup",
      items: members,
      options,
      attempt: atCoordinators(
        client,
        "group",
        () => group,
        (node, pending: ReadonlyArray<MemberReference>) => {
          const drafts = pending.map((member) =>
            "memberId" in member ? { memberId: member.memberId, groupInstanceId: null, reason } : { memberId: "", groupInstanceId: member.instanceId, reason }
          )
          return Effect.map(client.pool.call(node, LeaveGroup, { groupId: group, members: drafts }, { versionMin: severalMembersVersion }), (response) =>
            pending.map((member) => {
              const what = `The member '${nameOf(member)}' of the group '${group}'`
              if (response.errorCode !== 0) return resultOf(response.errorCode, what, null, undefined)
              const one = response.members.find(({ groupInstanceId, memberId: id }) =>
                "memberId" in member ? id === member.memberId : groupInstanceId === member.instanceId
              )
              return one === undefined ? missing(what) : resultOf(one.errorCode, what, null, undefined)
            })
          )
        }
      )
    })
  })
const membersOf = (client: Client, group: string, options: AdminOptions | undefined): Effect.Effect<ReadonlyArray<MemberReference>, ItemError> =>
  Effect.flatMap(describeGroups(client, [group], options), (results) =>
    Effect.map(results[0]?.result ?? missing(`The group '${group}'`), ({ members }) =>
      // A static member is removed by its instance id alone: its member id changes when it joins again.
      members.map((member) => (member.instanceId === null ? { memberId: member.memberId } : { instanceId: member.instanceId }))
    )
  )

const describeGroups = (client: Client, groups: ReadonlyArray<string>, options: AdminOptions | undefined) =>
  perItem(client, { what: "DescribeGroups", items: groups, options, attempt: atCoordinators(client, "group", (group: string) => group, describeAt(client)) })
const deleteGroups = (client: Client, groups: ReadonlyArray<string>, options: AdminOptions | undefined) =>
  perItem(client, { what: "DeleteGroups", items: groups, options, attempt: atCoordinators(client, "group", (group: string) => group, deleteAt(client)) })

export const groupsAdmin = (client: Client): GroupsAdmin => ({
  describeGroups: (groups, options) =>
    checked(
      "describeGroups",
      () => [groupList(groups, "groups"), adminOptions(options, "options")],
      () => describeGroups(client, groups, options)
    ),
  deleteGroups: (groups, options) =>
    checked(
      "deleteGroups",
      () => [groupList(groups, "groups"), adminOptions(options, "options")],
      () => deleteGroups(client, groups, options)
    ),
  removeGroupMembers: (group, members, options) =>
    checked(
      "removeGroupMembers",
      () => [groupName(group, "group"), references(members, "members"), adminOptions(options, "options")],
      () => removeMembers(client, group, members, options)
    )
})
