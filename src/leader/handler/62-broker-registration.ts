import { Effect, Either, LogLevel } from "effect"
import { incarnationDigest } from "../../../domain/cluster/broker/incarnation.ts"
import { Command } from "../../../domain/cluster/command.ts"
import { decide } from "../../../domain/cluster/decide.ts"
import type { BrokerListener } from "../../../domain/cluster/event.ts"
import { eventLevelFeature } from "../../../domain/cluster/event-level.ts"
import { brokerOf, soleListener } from "../../../domain/cluster/state.ts"
import { errorCode, type Rejection } from "../../../domain/kernel/error-code.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import { BrokerRegistration } from "../../protocol/message/62-broker-registration.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { type LeaderContext, submission } from "../context.ts"

type Request = RequestOf<typeof BrokerRegistration>
type Response = ResponseDraft<typeof BrokerRegistration>

/** What the journal keeps of a broker's listeners: nothing where it has one by the usual name, which its host and port say already. */
const namedListeners = (listeners: Request["listeners"]): ReadonlyArray<BrokerListener> | undefined =>
  listeners.length === 0 || (listeners.length === 1 && listeners[0]?.name === soleListener)
    ? undefined
    : listeners.map(({ host, name, port }) => ({ name, host, port }))

/** The highest event level that the broker names; one before there were levels names none. */
const eventLevelOf = (features: Request["features"]): number | undefined => features.find(({ name }) => name === eventLevelFeature)?.maxSupportedVersion

/** Whether the process that is registered under the id has shown lately that it runs. */
const isConnected = ({ brokers, writer }: LeaderContext["Type"], brokerId: number): boolean => {
  const broker = brokerOf(writer.state(), brokerId)
  return brokers.links.isConnected(brokerId) && !(broker !== undefined && brokers.sessions.isSilent(broker.id, broker.epoch))
}

const commandOf = (
  leader: LeaderContext["Type"],
  { brokerId, clusterId, features, incarnationId, keepsWhatItAcknowledged, listeners, logDirs, rack }: Request
) =>
  Command.RegisterBroker({
    brokerId,
    incarnationId: incarnationDigest(incarnationId),
    clusterId,
    host: listeners[0]?.host ?? "",
    port: listeners[0]?.port ?? 0,
    rack,
    listeners: namedListeners(listeners),
    isConnected: isConnected(leader, brokerId),
    eventLevel: eventLevelOf(features),
    directories: logDirs.length === 0 ? undefined : logDirs,
    keepsWhatItAcknowledged: keepsWhatItAcknowledged ? true : undefined
  })

const heldBack = (brokerId: number, waitMs: number): Rejection => ({
  error: "THROTTLING_QUOTA_EXCEEDED",
  message: `Broker ${brokerId} registers too often, or too many new brokers do: it is registered in ${Math.ceil(waitMs / 1000)} s at the earliest.`
})

/**
 * BrokerRegistration 0-4: a broker process starts. Its epoch comes from the events; a repetition by the same process gets the epoch that stands. The connection is that
 * broker's from then on, so a broker begins each of its connections with it. THROTTLING_QUOTA_EXCEEDED where brokers register more often than the journal can bear.
 */
export const brokerRegistration = (leader: LeaderContext["Type"]): Route => {
  const { brokers, writer } = leader
  const accepted = (brokerId: number, brokerEpoch: number, { session }: RequestContext): Response => {
    brokers.sessions.record(brokerId as BrokerId, brokerEpoch)
    // A registration that was replaced while this answer was under way is no longer its process's.
    if (brokerOf(writer.state(), brokerId)?.epoch === brokerEpoch) brokers.links.bind(session, { id: brokerId, epoch: brokerEpoch })
    return { errorCode: 0, brokerEpoch: BigInt(brokerEpoch) }
  }
  const refused = ({ brokerId }: Request, { actor }: RequestContext, { error, message }: Rejection): Effect.Effect<Response> =>
    Effect.as(
      // A broker that is refused comes again every second or two, for as long as its settings are what they are.
      brokers.refusals.log(LogLevel.Warning, `${brokerId} ${error}`, `broker ${brokerId} from ${actor} was not registered: ${message}`),
      { errorCode: errorCode(error) }
    )
  const given = ({ actor }: RequestContext): Response | Effect.Effect<Response> => {
    const id = brokers.spareIds.give(writer.state())
    if (id === undefined) return { errorCode: errorCode("THROTTLING_QUOTA_EXCEEDED") }
    return Effect.as(brokers.changes.log(LogLevel.Info, "spare ids", `${actor} is given the broker id ${id}`), { errorCode: 0, givenId: id })
  }
  return route(BrokerRegistration, {}, (request, context) => {
    if (request.wantsId) return given(context)
    const { brokerId } = request
    const command = commandOf(leader, request)
    const now = decide(writer.state(), command)
    if (Either.isLeft(now)) return refused(request, context, now.left)
    const waitMs = now.right.length === 0 ? undefined : brokers.pace.take(writer.state(), brokerId, "registers")
    if (waitMs !== undefined) return refused(request, context, heldBack(brokerId, waitMs))
    return writer.submit(submission(leader, command, context, "BrokerRegistration")).pipe(
      Effect.tap(() => Effect.logDebug(`broker ${brokerId} registered from ${command.host}:${command.port}`)),
      Effect.map(({ events }) => {
        const registered = events.find((event) => event._tag === "BrokerRegistered")
        return accepted(brokerId, registered?.brokerEpoch ?? brokerOf(writer.state(), brokerId)?.epoch ?? -1, context)
      }),
      Effect.catchAll((rejection) => refused(request, context, rejection))
    )
  })
}
