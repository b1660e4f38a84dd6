import { Effect } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { brokerOf } from "../../../domain/cluster/state.ts"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import { BrokerRegistration } from "../../protocol/message/62-broker-registration.ts"
import { type Route, route } from "../../wire/route.ts"
import { type LeaderRoom, submission } from "../room.ts"

/** BrokerRegistration 0-4: a broker process starts. Its epoch comes from the events; a repetition by the same process gets the epoch that stands. */
export const brokerRegistration = (room: LeaderRoom): Route =>
  route(BrokerRegistration, { listed: false }, (request, context) => {
    const [listener] = request.listeners
    const command = Command.RegisterBroker({
      brokerId: request.brokerId,
      incarnationId: request.incarnationId,
      clusterId: request.clusterId,
      host: listener?.host ?? "",
      port: listener?.port ?? 0,
      rack: request.rack
    })
    return room.writer.submit(submission(room, command, context, "BrokerRegistration")).pipe(
      Effect.tap(() => Effect.logInfo(`broker ${request.brokerId} registered from ${command.host}:${command.port}`)),
      Effect.map(({ events }) => {
        const registered = events.find((event) => event._tag === "BrokerRegistered")
        const brokerEpoch = registered?.brokerEpoch ?? brokerOf(room.writer.state(), request.brokerId)?.epoch ?? -1
        room.sessions.heard(request.brokerId as BrokerId, brokerEpoch)
        return { throttleTimeMs: 0, errorCode: 0, brokerEpoch: BigInt(brokerEpoch) }
      }),
      Effect.catchAll(({ error, message }) =>
        Effect.as(Effect.logWarning(`broker ${request.brokerId} from ${context.actor} was not registered: ${message}`), {
          throttleTimeMs: 0,
          errorCode: errorCode(error)
        })
      )
    )
  })
