import { Either } from "effect"
import { heartbeat as decideHeartbeat } from "../../../domain/group/classic/session.ts"
import { Command } from "../../../domain/group/command.ts"
import { groupId, memberId } from "../../../domain/group/id.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { Heartbeat } from "../../protocol/message/12-heartbeat.ts"
import { type Route, route } from "../../wire/route.ts"
import { type CoordinatorContext, groupIn, recordHeartbeat } from "../context.ts"

/** Heartbeat 0-4: answered at once from the durable group, without the journal. The heartbeat of a member that must rejoin counts, too. */
export const heartbeat = (coordinator: CoordinatorContext): Route =>
  route(Heartbeat, {}, (request) => {
    const answer = (error: KafkaError) => ({ errorCode: errorCode(error) })
    if (request.groupId === "") return answer("INVALID_GROUP_ID")
    const id = groupId(request.groupId)
    const member = memberId(request.memberId)
    const command = Command.Heartbeat({ groupId: id, memberId: member, instanceId: request.groupInstanceId, generation: request.generationId })
    const decision = Either.flatMap(groupIn(coordinator, id), (group) => decideHeartbeat(group, command))
    const error = Either.isLeft(decision) ? decision.left.error : "NONE"
    if (error === "NONE" || error === "REBALANCE_IN_PROGRESS") recordHeartbeat(coordinator, id, member)
    return answer(error)
  })
