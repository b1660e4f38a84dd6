import { Effect, Either } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { decide } from "../../../domain/cluster/decide.ts"
import type { Event } from "../../../domain/cluster/event.ts"
import { brokerOf } from "../../../domain/cluster/state.ts"
import { errorCode, type Rejection } from "../../../domain/kernel/error-code.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import { BrokerHeartbeat } from "../../protocol/message/63-broker-heartbeat.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { type LeaderContext, submission } from "../context.ts"

type Request = RequestOf<typeof BrokerHeartbeat>
type Response = ResponseDraft<typeof BrokerHeartbeat>

const refused = ({ error }: Rejection): Response => ({ errorCode: errorCode(error), shouldShutDown: false })

const accepted = (leader: LeaderContext, { brokerId, currentMetadataOffset, wantShutDown }: Request): Response => {
  const broker = brokerOf(leader.writer.state(), brokerId)
  const isFenced = broker?.fenced ?? true
  return {
    errorCode: 0,
    isCaughtUp: broker !== undefined && Number(currentMetadataOffset) >= broker.epoch,
    isFenced,
    shouldShutDown: wantShutDown && isFenced
  }
}

const nameOf = ({ writer }: LeaderContext, brokerId: number): string => {
  const broker = brokerOf(writer.state(), brokerId)
  return `broker ${brokerId} at ${broker?.host}:${broker?.port}`
}

const told = (leader: LeaderContext, brokerId: number, [first]: ReadonlyArray<Event>): Effect.Effect<void> => {
  const name = nameOf(leader, brokerId)
  const say = (line: string) => leader.brokers.lines.say(brokerId, name, Effect.logInfo(`${name} ${line}`))
  if (first?._tag === "BrokerUnfenced") return say("is unfenced and serves")
  if (first?._tag === "BrokerFenced") return say("shuts down: its partitions have no leader until it is back")
  return Effect.void
}

/** The broker stays fenced, and is told so; it asks again with its next heartbeat. */
const heldBack = (leader: LeaderContext, request: Request, waitMs: number): Effect.Effect<Response> => {
  const name = nameOf(leader, request.brokerId)
  const line = Effect.logWarning(`${name} comes and goes too often: it is unfenced in ${Math.ceil(waitMs / 1000)} s at the earliest`)
  return Effect.as(leader.brokers.lines.say(request.brokerId, name, line), accepted(leader, request))
}

/**
 * BrokerHeartbeat 0-2: a broker lives. Most of them change nothing: they are answered at once from the durable state, and only note the time.
 * One that fences or unfences the broker goes through the journal. CLUSTER_AUTHORIZATION_FAILED on a connection on which that broker has not registered.
 */
export const brokerHeartbeat = (leader: LeaderContext): Route => {
  const { brokers, writer } = leader
  return route(BrokerHeartbeat, { listed: false }, (request, context) => {
    const command = Command.BrokerHeartbeat({
      brokerId: request.brokerId,
      brokerEpoch: Number(request.brokerEpoch),
      metadataOffset: Number(request.currentMetadataOffset),
      wantFence: request.wantFence,
      wantShutDown: request.wantShutDown
    })
    const now = decide(writer.state(), command)
    if (Either.isLeft(now)) return refused(now.left)
    const stranger = brokers.links.refusal(context, writer.state(), request.brokerId)
    if (stranger !== undefined) return Effect.as(brokers.refrain(`heartbeat ${context.clientHost}`, stranger.message), refused(stranger))
    const brokerId = request.brokerId as BrokerId
    brokers.links.leaving(brokerId, request.wantShutDown)
    brokers.sessions.heard(brokerId, command.brokerEpoch)
    leader.observers.heard(brokerId, command.metadataOffset)
    if (now.right.length === 0) return accepted(leader, request)
    // Only unfencing is held back: a broker that stops is fenced at once, and must be unfenced before it can be fenced again.
    const waitMs = now.right[0]?._tag === "BrokerUnfenced" ? brokers.pace.take(writer.state(), request.brokerId, "enters") : undefined
    if (waitMs !== undefined) return heldBack(leader, request, waitMs)
    return writer.submit(submission(leader, command, context, "BrokerHeartbeat")).pipe(
      Effect.tap(({ events }) => told(leader, request.brokerId, events)),
      Effect.match({ onSuccess: () => accepted(leader, request), onFailure: refused })
    )
  })
}
