import { Effect, Either } from "effect"
import type { LeavingMember } from "../../../domain/group/classic/command.ts"
import { leaveErrors } from "../../../domain/group/classic/leave.ts"
import { Command } from "../../../domain/group/command.ts"
import { groupId, memberId } from "../../../domain/group/id.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { LeaveGroup } from "../../protocol/message/13-leave-group.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { type CoordinatorContext, groupIn, submit } from "../context.ts"

type Request = RequestOf<typeof LeaveGroup>
type Response = ResponseDraft<typeof LeaveGroup>

/** From this version on several members leave at a time, each with an error of its own (KIP-345). */
const batchSince = 3

const leaversOf = (request: Request, version: number): ReadonlyArray<LeavingMember> =>
  version >= batchSince
    ? request.members.map((member) => ({ memberId: memberId(member.memberId), instanceId: member.groupInstanceId }))
    : [{ memberId: memberId(request.memberId), instanceId: null }]

const refused = (error: KafkaError): Response => ({ errorCode: errorCode(error) })

const responseTo = (leavers: ReadonlyArray<LeavingMember>, errors: ReadonlyArray<KafkaError>, version: number): Response => {
  if (version < batchSince) return refused(errors[0] ?? "NONE")
  const members = leavers.map((leaver, index) => ({
    memberId: leaver.memberId,
    groupInstanceId: leaver.instanceId,
    errorCode: errorCode(errors[index] ?? "UNKNOWN_MEMBER_ID")
  }))
  return { errorCode: 0, members }
}

/** LeaveGroup 0-5: members leave, or an administrator removes them; the remaining members must rejoin. */
export const leaveGroup = (coordinator: CoordinatorContext): Route => {
  const handle = (request: Request, context: RequestContext): Effect.Effect<Response> => {
    if (request.groupId === "") return Effect.succeed(refused("INVALID_GROUP_ID"))
    const members = leaversOf(request, context.version)
    const id = groupId(request.groupId)
    return submit(coordinator, Command.Leave({ groupId: id, at: coordinator.now(), members }), context, "LeaveGroup").pipe(
      Effect.flatMap(({ events }) => Either.map(groupIn(coordinator, id), (group) => leaveErrors(group, events, members))),
      Effect.match({
        onSuccess: (errors) => responseTo(members, errors, context.version),
        onFailure: ({ error }) =>
          error === "UNKNOWN_MEMBER_ID"
            ? responseTo(
                members,
                members.map(() => error),
                context.version
              )
            : refused(error)
      })
    )
  }
  return route(LeaveGroup, {}, handle)
}
