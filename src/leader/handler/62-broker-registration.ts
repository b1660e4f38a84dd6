import { Effect } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { brokerOf } from "../../../domain/cluster/state.ts"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import { BrokerRegistration } from "../../protocol/message/62-broker-registration.ts"
import { type Route, route } from "../../wire/route.ts"
import { makeRefrain } from "../refrain.ts"
import { type LeaderRoom, submission } from "../room.ts"

/** BrokerRegistration 0-4: a broker process starts. Its epoch comes from the events; a repetition by the same process gets the epoch that stands. */
export const brokerRegistration = (room: LeaderRoom): Route => {
  // A broker that is refused comes again every second or two, for as long as nobody changes its settings.
  const refrain = makeRefrain()
  return route(BrokerRegistration, { listed: false }, (request, context) => {
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
      Effect.tap(() => Effect.logDebug(`broker ${request.brokerId} registered from ${command.host}:${command.port}`)),
      Effect.map(({ events }) => {
        const registered = events.find((event) => event._tag === "BrokerRegistered")
        const brokerEpoch = registered?.brokerEpoch ?? brokerOf(room.writer.state(), request.brokerId)?.epoch ?? -1
        room.sessions.heard(request.brokerId as BrokerId, brokerEpoch)
        return { throttleTimeMs: 0, errorCode: 0, brokerEpoch: BigInt(brokerEpoch) }
      }),
      Effect.catchAll(({ error, message }) =>
        Effect.as(refrain(`${request.brokerId} ${message}`, `broker ${request.brokerId} from ${context.actor} was not registered: ${message}`), {
          throttleTimeMs: 0,
          errorCode: errorCode(error)
        })
      )
    )
  })
}
