import { Effect } from "effect"
import { type JoinResponse, joinResponse, replacedResponse } from "../../../domain/group/classic/response.ts"
import { Command } from "../../../domain/group/command.ts"
import type { Event } from "../../../domain/group/event.ts"
import { groupId, type MemberId, memberId } from "../../../domain/group/id.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { JoinGroup } from "../../protocol/message/11-join-group.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { drawUuid } from "../../stream/uuid.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { type CoordinatorContext, groupIn, recordHeartbeat, submit } from "../context.ts"

type Request = RequestOf<typeof JoinGroup>
type Response = ResponseDraft<typeof JoinGroup>

/** From version 4 on a new dynamic member must join again with the id that it is given (KIP-394). */
const memberIdRequiredSince = 4
/** From version 7 on a missing protocol is null; before, it is the empty text. */
const nullableProtocolSince = 7
/** From version 9 on a leader can be told not to assign (KIP-814). */
const skipAssignmentSince = 9

/** Bytes of a member's metadata for all its assignors together. Kafka cannot store more either: a whole group is one record of its offsets topic. */
const metadataBytesMax = 1_048_576

const refused = (error: KafkaError, id: string, version: number): Response => ({
  errorCode: errorCode(error),
  protocolName: version >= nullableProtocolSince ? null : "",
  leader: "",
  memberId: id,
  members: []
})

const response = (answer: Exclude<JoinResponse, { _tag: "Wait" }>, member: MemberId, version: number): Response => {
  switch (answer._tag) {
    case "MemberIdRequired":
      return refused("MEMBER_ID_REQUIRED", answer.memberId, version)
    case "Refused":
      return refused(answer.error, member, version)
    case "Joined": {
      const { generation, leader, members, protocolName, protocolType, skipAssignment } = answer
      return {
        errorCode: 0,
        generationId: generation,
        protocolType,
        protocolName: protocolName ?? (version >= nullableProtocolSince ? null : ""),
        leader,
        skipAssignment,
        memberId: member,
        members: members.map((each) => ({ memberId: each.memberId, groupInstanceId: each.instanceId, metadata: each.metadata }))
      }
    }
  }
}

const metadataBytes = ({ protocols }: Request): number => protocols.reduce((sum, { name, metadata }) => sum + name.length + metadata.length, 0)

type Protocols = ReadonlyArray<{ readonly name: string; readonly metadata: Uint8Array }>

const commandOf = (
  coordinator: CoordinatorContext,
  request: Request,
  protocols: Protocols,
  { clientHost, header, version }: RequestContext,
  newMemberId: MemberId
) =>
  Command.Join({
    groupId: groupId(request.groupId),
    at: coordinator.now(),
    memberId: memberId(request.memberId),
    newMemberId,
    memberIdRequired: version >= memberIdRequiredSince && request.groupInstanceId === null,
    instanceId: request.groupInstanceId,
    clientId: header.clientId ?? "",
    clientHost: `/${clientHost}`,
    sessionTimeoutMs: request.sessionTimeoutMs,
    rebalanceTimeoutMs: version === 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
    protocolType: request.protocolType,
    protocols,
    reason: request.reason ?? ""
  })

/** Returns the event of a static member that replaced its earlier self without a rebalance. */
const replacement = ([first, ...rest]: ReadonlyArray<Event>) => (first?._tag === "MemberReplaced" && rest.length === 0 ? first : undefined)

/**
 * JoinGroup 0-9. The join is journalled, then it waits until the rebalance is over: all members have joined, or their time is up. A client that disconnects while it
 * waits is not removed by that; its session ends.
 */
export const joinGroup = (coordinator: CoordinatorContext): Route => {
  const handle = (request: Request, context: RequestContext): Response | Effect.Effect<Response> => {
    const { version } = context
    if (metadataBytes(request) > metadataBytesMax) return refused("INVALID_REQUEST", request.memberId, version)
    // The bytes are views of the request's frame, which is freed when this returns: what the group keeps is its own.
    const protocols = request.protocols.map(({ name, metadata }) => ({ name, metadata: new Uint8Array(metadata) }))
    return Effect.gen(function* () {
      const drawn = memberId(`${(request.groupInstanceId ?? context.header.clientId ?? "").slice(0, coordinator.limits.nameMax)}-${yield* drawUuid}`)
      const command = commandOf(coordinator, request, protocols, context, drawn)
      const member = command.memberId === "" ? drawn : command.memberId
      const { events } = yield* submit(coordinator, command, context, "JoinGroup")
      recordHeartbeat(coordinator, command.groupId, member)
      const replaced = replacement(events)
      if (replaced !== undefined) {
        const answer = replacedResponse(yield* groupIn(coordinator, command.groupId), replaced.memberId, replaced.replacedId, version >= skipAssignmentSince)
        return answer._tag === "Wait" ? refused("REBALANCE_IN_PROGRESS", member, version) : response(answer, replaced.memberId, version)
      }
      const { waiting } = yield* coordinator.streams.of(command.groupId)
      return yield* waiting.until(command.groupId, member, (now) => {
        const answer = joinResponse(now, member, command.instanceId)
        return answer._tag === "Wait" ? undefined : response(answer, member, version)
      })
    }).pipe(Effect.catchAll(({ error }) => Effect.succeed(refused(error, request.memberId, version))))
  }
  return route(JoinGroup, { borrows: true }, handle)
}
