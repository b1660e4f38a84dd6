import { Either } from "effect"
import { type Member, metadataOf, noBytes } from "../../../domain/group/classic/member.ts"
import { sortedMembers } from "../../../domain/group/classic/state.ts"
import { groupId } from "../../../domain/group/id.ts"
import type { Group } from "../../../domain/group/state.ts"
import { errorCode, type Rejection } from "../../../domain/kernel/error-code.ts"
import { DescribeGroups } from "../../protocol/message/15-describe-groups.ts"
import type { ResponseDraft } from "../../protocol/type/wire.ts"
import { groupOperations, operationsNotAsked } from "../../serve/cluster/authorized-operations.ts"
import { type Route, route } from "../../wire/route.ts"
import { distinct, mapped, Sliced } from "../../wire/sliced.ts"
import { type CoordinatorContext, groupIn } from "../context.ts"

type GroupResponse = ResponseDraft<typeof DescribeGroups>["groups"][number]

/** From this version on a group that is not there is an error (KIP-1043); before, it is described as Dead. */
const notFoundSince = 6

/** A group may have a thousand members. */
const groupsPerStep = 4

/** The metadata and the assignment of a member belong to a generation: they are shown while it is stable. */
const described = ({ protocolName }: Group, member: Member, stands: boolean): GroupResponse["members"][number] => ({
  memberId: member.memberId,
  groupInstanceId: member.instanceId,
  clientId: member.clientId,
  clientHost: member.clientHost,
  memberMetadata: stands ? metadataOf(member, protocolName) : noBytes,
  memberAssignment: stands ? member.assignment : noBytes
})

const groupResponse = (now: Group, name: string, version: number, authorizedOperations: number): GroupResponse => {
  const stands = now.phase === "Stable"
  const isMissing = now.phase === "Dead" && version >= notFoundSince
  return {
    errorCode: errorCode(isMissing ? "GROUP_ID_NOT_FOUND" : "NONE"),
    ...(isMissing ? { errorMessage: `Group ${name} not found.` } : {}),
    groupId: name,
    groupState: now.phase,
    protocolType: now.protocolType ?? "",
    protocolData: stands ? (now.protocolName ?? "") : "",
    members: sortedMembers(now).map((member) => described(now, member, stands)),
    authorizedOperations
  }
}

const refused = (name: string, { error, message }: Rejection, version: number): GroupResponse => ({
  errorCode: errorCode(error),
  ...(version >= notFoundSince ? { errorMessage: message } : {}),
  groupId: name,
  groupState: "",
  protocolType: "",
  protocolData: "",
  members: [],
  authorizedOperations: operationsNotAsked
})

/** DescribeGroups 0-6, from the durable groups. A group that is named twice is described once: the description is many times as long as the name. */
export const describeGroups = (coordinator: CoordinatorContext): Route =>
  route(
    DescribeGroups,
    {},
    ({ groups, includeAuthorizedOperations }, { version }) =>
      new Sliced(function* () {
        const operations = includeAuthorizedOperations ? groupOperations : operationsNotAsked
        const names = yield* distinct(groups)
        const describe = (name: string) =>
          Either.match(groupIn(coordinator, groupId(name)), {
            onLeft: (rejection) => refused(name, rejection, version),
            onRight: (group) => groupResponse(group, name, version, operations)
          })
        return { groups: yield* mapped(names, describe, groupsPerStep) }
      })
  )
