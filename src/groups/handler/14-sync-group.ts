import { Effect } from "effect"
import { noBytes } from "../../../domain/group/classic/member.ts"
import { type SyncResponse, syncResponse } from "../../../domain/group/classic/response.ts"
import { Command } from "../../../domain/group/command.ts"
import { groupId, memberId } from "../../../domain/group/id.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { SyncGroup } from "../../protocol/message/14-sync-group.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { type CoordinatorContext, recordHeartbeat, submit } from "../context.ts"

type Request = RequestOf<typeof SyncGroup>
type Response = ResponseDraft<typeof SyncGroup>

/** From this version on a member names the protocol type and the protocol that it expects (KIP-559). */
const protocolSince = 5
/** Bytes of all assignments together: more than Kafka could store, and what a journal takes at a time. */
const assignmentBytesMax = 4 * 1024 * 1024

const refused = (error: KafkaError): Response => ({ errorCode: errorCode(error), assignment: noBytes })

const faultOf = ({ groupId, assignments, protocolName, protocolType }: Request, version: number): KafkaError | undefined => {
  if (groupId === "") return "INVALID_GROUP_ID"
  if (version >= protocolSince && (protocolType === null || protocolName === null)) return "INCONSISTENT_GROUP_PROTOCOL"
  return assignments.reduce((sum, { assignment }) => sum + assignment.length, 0) > assignmentBytesMax ? "INVALID_REQUEST" : undefined
}

const response = (answer: Exclude<SyncResponse, { _tag: "Wait" }>): Response =>
  answer._tag === "Refused"
    ? refused(answer.error)
    : { errorCode: 0, protocolType: answer.protocolType, protocolName: answer.protocolName, assignment: answer.assignment }

const commandOf = (coordinator: CoordinatorContext, request: Request) =>
  Command.Sync({
    groupId: groupId(request.groupId),
    at: coordinator.now(),
    memberId: memberId(request.memberId),
    instanceId: request.groupInstanceId,
    generation: request.generationId,
    protocolType: request.protocolType,
    protocolName: request.protocolName,
    // The bytes are views of the request's frame, which is freed when the handler returns: what the group keeps is its own.
    assignments: request.assignments.map(({ memberId: id, assignment }) => ({ memberId: memberId(id), assignment: new Uint8Array(assignment) }))
  })

/** SyncGroup 0-5: the leader of the generation sends all assignments; every member waits for them, and gets its own. */
export const syncGroup = (coordinator: CoordinatorContext): Route => {
  const handle = (request: Request, context: RequestContext): Response | Effect.Effect<Response> => {
    const fault = faultOf(request, context.version)
    if (fault !== undefined) return refused(fault)
    const command = commandOf(coordinator, request)
    return Effect.gen(function* () {
      yield* submit(coordinator, command, context, "SyncGroup")
      recordHeartbeat(coordinator, command.groupId, command.memberId)
      const { waiting } = yield* coordinator.streams.of(command.groupId)
      return yield* waiting.until(command.groupId, command.memberId, (now) => {
        const answer = syncResponse(now, command.memberId, command.instanceId, command.generation)
        return answer._tag === "Wait" ? undefined : response(answer)
      })
    }).pipe(Effect.catchAll(({ error }) => Effect.succeed(refused(error))))
  }
  return route(SyncGroup, { borrows: true }, handle)
}
