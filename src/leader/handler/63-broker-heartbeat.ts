import { Effect, Either } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { decide } from "../../../domain/cluster/decide.ts"
import { brokerOf } from "../../../domain/cluster/state.ts"
import { errorCode, type Rejection } from "../../../domain/kernel/error-code.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import { BrokerHeartbeat } from "../../protocol/message/63-broker-heartbeat.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { type LeaderRoom, submission } from "../room.ts"

type Request = RequestOf<typeof BrokerHeartbeat>
type Response = ResponseDraft<typeof BrokerHeartbeat>

const refused = ({ error }: Rejection): Response => ({ throttleTimeMs: 0, errorCode: errorCode(error), shouldShutDown: false })

const accepted = (room: LeaderRoom, { brokerId, currentMetadataOffset, wantShutDown }: Request): Response => {
  const broker = brokerOf(room.writer.state(), brokerId)
  const isFenced = broker?.fenced ?? true
  return {
    throttleTimeMs: 0,
    errorCode: 0,
    isCaughtUp: broker !== undefined && Number(currentMetadataOffset) >= broker.epoch,
    isFenced,
    shouldShutDown: wantShutDown && isFenced
  }
}

/**
 * BrokerHeartbeat 0-2: a broker lives. Most of them change nothing: they are answered at once from the durable state, and only note the time.
 * One that lets the broker in or out goes through the journal.
 */
export const brokerHeartbeat = (room: LeaderRoom): Route =>
  route(BrokerHeartbeat, { listed: false }, (request, context) => {
    const command = Command.BrokerHeartbeat({
      brokerId: request.brokerId,
      brokerEpoch: Number(request.brokerEpoch),
      metadataOffset: Number(request.currentMetadataOffset),
      wantFence: request.wantFence,
      wantShutDown: request.wantShutDown
    })
    const now = decide(room.writer.state(), command)
    if (Either.isLeft(now)) return refused(now.left)
    const brokerId = request.brokerId as BrokerId
    room.sessions.heard(brokerId, command.brokerEpoch)
    room.observers.heard(brokerId, command.metadataOffset)
    if (now.right.length === 0) return accepted(room, request)
    return room.writer.submit(submission(room, command, context, "BrokerHeartbeat")).pipe(
      Effect.tap(({ events }) => {
        const [first] = events
        const broker = brokerOf(room.writer.state(), request.brokerId)
        const name = `broker ${request.brokerId} at ${broker?.host}:${broker?.port}`
        if (first?._tag === "BrokerUnfenced") return Effect.logInfo(`${name} is let in`)
        if (first?._tag === "BrokerFenced") return Effect.logInfo(`${name} shuts down: its partitions have no leader until it is back`)
        return Effect.void
      }),
      Effect.match({ onSuccess: () => accepted(room, request), onFailure: refused })
    )
  })
