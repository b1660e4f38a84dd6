import { Effect } from "effect"
import type { LeavingMember } from "../../../domain/group/classic/command.ts"
import { leaveErrors } from "../../../domain/group/classic/leave.ts"
import { Command } from "../../../domain/group/command.ts"
import { groupId, memberId } from "../../../domain/group/id.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { LeaveGroup } from "../../protocol/message/13-leave-group.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { ask, type GroupRoom, group } from "../context.ts"

type Request = RequestOf<typeof LeaveGroup>
type Response = ResponseDraft<typeof LeaveGroup>

/** From this version on several members leave at a time, each with an answer of its own (KIP-345). */
const batchSince = 3

const leaversOf = (request: Request, version: number): ReadonlyArray<LeavingMember> =>
  version >= batchSince
    ? request.members.map((member) => ({ memberId: memberId(member.memberId), instanceId: member.groupInstanceId }))
    : [{ memberId: memberId(request.memberId), instanceId: null }]

const refused = (error: KafkaError): Response => ({ errorCode: errorCode(error) })

const answered = (leavers: ReadonlyArray<LeavingMember>, errors: ReadonlyArray<KafkaError>, version: number): Response => {
  if (version < batchSince) return refused(errors[0] ?? "NONE")
  const members = leavers.map((leaver, index) => ({
    memberId: leaver.memberId,
    groupInstanceId: leaver.instanceId,
    errorCode: errorCode(errors[index] ?? "UNKNOWN_MEMBER_ID")
  }))
  return { errorCode: 0, members }
}

/** LeaveGroup 0-5: members go, by themselves or at an administrator's word; the others are told to join again. */
export const leaveGroup = (room: GroupRoom): Route => {
  const handle = (request: Request, context: RequestContext): Effect.Effect<Response> => {
    if (request.groupId === "") return Effect.succeed(refused("INVALID_GROUP_ID"))
    const members = leaversOf(request, context.version)
    const id = groupId(request.groupId)
    return ask(room, Command.Leave({ groupId: id, at: room.now(), members }), context, "LeaveGroup").pipe(
      Effect.map(({ events }) => leaveErrors(group(room, id), events, members)),
      Effect.match({
        onSuccess: (errors) => answered(members, errors, context.version),
        onFailure: ({ error }) =>
          error === "UNKNOWN_MEMBER_ID"
            ? answered(
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
