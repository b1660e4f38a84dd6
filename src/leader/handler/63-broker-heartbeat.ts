import { Effect, Either, LogLevel } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { decide } from "../../../domain/cluster/decide.ts"
import type { Event } from "../../../domain/cluster/event.ts"
import { lastCopies } from "../../../domain/cluster/replication/disown.ts"
import { brokerOf, type Cluster, sortedTopics } from "../../../domain/cluster/state.ts"
import { errorCode, type Rejection } from "../../../domain/kernel/error-code.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import { BrokerHeartbeat, disownReasons } from "../../protocol/message/63-broker-heartbeat.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type EventTable, lookUp } from "../../stream/event-table.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { type LeaderContext, submission } from "../context.ts"

type Request = RequestOf<typeof BrokerHeartbeat>
type Response = ResponseDraft<typeof BrokerHeartbeat>

const refused = ({ error }: Rejection): Response => ({ errorCode: errorCode(error), shouldShutDown: false })

const accepted = (leader: LeaderContext["Type"], { brokerId, currentMetadataOffset, wantShutDown }: Request): Response => {
  const broker = brokerOf(leader.writer.state(), brokerId)
  const isFenced = broker?.fenced ?? true
  return {
    errorCode: 0,
    isCaughtUp: broker !== undefined && Number(currentMetadataOffset) >= broker.epoch,
    isFenced,
    shouldShutDown: wantShutDown && isFenced
  }
}

const nameOf = ({ writer }: LeaderContext["Type"], brokerId: number): string => {
  const broker = brokerOf(writer.state(), brokerId)
  return `broker ${brokerId} at ${broker?.host}:${broker?.port}`
}

/** What the log tells the operator of an event that a heartbeat caused. */
const lines: EventTable<Event, string | undefined> = {
  ClusterFounded: () => undefined,
  GroupStreamsFixed: () => undefined,
  LeaderElected: () => undefined,
  EventLevelRaised: () => undefined,
  BrokerRegistered: () => undefined,
  BrokerUnfenced: () => "is unfenced and serves",
  BrokerFenced: () => "has shut down",
  BrokerRemoved: () => undefined,
  TopicAdded: () => undefined,
  PartitionPlaced: () => undefined,
  PartitionLeaderChanged: () => undefined,
  TopicConfigsChanged: () => undefined,
  NodeConfigsChanged: () => undefined,
  ResourceConfigsChanged: () => undefined,
  TopicRemoved: () => undefined,
  ProducerIdsAllocated: () => undefined,
  LeadersElected: () => undefined,
  InSyncSetsChanged: () => undefined,
  LeaderElectedUncleanly: () => undefined,
  RecordsLost: () => undefined,
  ReassignmentBegan: () => undefined,
  ReassignmentEnded: () => undefined,
  BrokerLeaving: () => "shuts down: other brokers lead its partitions",
  ReplicasDisowned: () => "reports logs that are missing, damaged or offline: their replicas leave the in-sync sets, and are copied again where they can be"
}

/** Partitions whose only replica is on the broker. */
const partitionsOnlyOn = (cluster: Cluster, brokerId: number): number => {
  let count = 0
  for (const { partitions } of sortedTopics(cluster)) for (const { replicas } of partitions) if (replicas.length === 1 && replicas[0] === brokerId) count++
  return count
}

/** What the log tells the operator of replicas that take no records. */
const unwritableLine = "has no space for records: other brokers lead its partitions, and it leaves the in-sync sets until it has space"

const logChange = (leader: LeaderContext["Type"], brokerId: number, events: ReadonlyArray<Event>, said?: string): Effect.Effect<void> => {
  const line = said ?? events.map((event) => lookUp(lines, event)).find((each) => each !== undefined)
  const name = nameOf(leader, brokerId)
  const count = events.some(({ _tag }) => _tag === "BrokerFenced") ? partitionsOnlyOn(leader.writer.state(), brokerId) : 0
  const alone =
    count === 0
      ? ""
      : `: ${count === 1 ? "1 partition without another replica has" : `${count} partitions without another replica have`} no leader until it registers again`
  return line === undefined ? Effect.void : leader.brokers.changes.log(LogLevel.Info, name, `${name} ${line}${alone}`)
}

/** The broker stays fenced, and is told so; it asks again with its next heartbeat. */
const heldBack = (leader: LeaderContext["Type"], request: Request, waitMs: number): Effect.Effect<Response> => {
  const name = nameOf(leader, request.brokerId)
  const line = `${name} is fenced and unfenced too often: it is unfenced in ${Math.ceil(waitMs / 1000)} s at the earliest`
  return Effect.as(leader.brokers.changes.log(LogLevel.Warning, name, line), accepted(leader, request))
}

/** What is not disowned, since it is the last copy: the operator decides. */
const warnOfLastCopies = (leader: LeaderContext["Type"], command: Parameters<typeof lastCopies>[1]): Effect.Effect<void> =>
  Effect.suspend(() => {
    const count = lastCopies(leader.writer.state(), command)
    const name = nameOf(leader, command.brokerId)
    const line = `${name} reports that it lost the last copy of ${count === 1 ? "1 partition" : `${count} partitions`}: nothing is elected in its place. Restore the logs, or elect other replicas uncleanly (franz partition elect --unclean) while that broker is stopped`
    return count === 0 ? Effect.void : leader.brokers.changes.log(LogLevel.Warning, `${name} last copies`, line)
  })

/**
 * Takes the broker out of the in-sync sets of the replicas that it disowns. They go through the journal before the
 * heartbeat itself, so that the broker is never unfenced while it counts as in sync for a log that it does not have.
 */
const disown = (leader: LeaderContext["Type"], { brokerEpoch, brokerId, disowned }: Request, context: RequestContext): Effect.Effect<void, Rejection> =>
  Effect.forEach(
    disowned,
    ({ reason, topics }, at) =>
      Effect.suspend(() => {
        const partitions = topics.flatMap(({ partitions: each, topicId }) => each.map((partition) => ({ topicId, partition })))
        const command = Command.DisownReplicas({
          brokerId,
          brokerEpoch: Number(brokerEpoch),
          reason: disownReasons[reason] ?? "missing",
          partitions
        })
        const submitted = leader.writer.submit(submission(leader, command, context, "BrokerHeartbeat", `disown-${at}`))
        // A heartbeat that was sent before the image had the last report repeats it.
        const disowned = Effect.flatMap(decide(leader.writer.state(), command), (expected) =>
          expected.length === 0
            ? Effect.void
            : Effect.flatMap(submitted, ({ events }) => logChange(leader, brokerId, events, command.reason === "unwritable" ? unwritableLine : undefined))
        )
        return Effect.tap(disowned, () => warnOfLastCopies(leader, command))
      }),
    { discard: true }
  )

/** Journals the committed records that a broker removed. A report that the cluster refuses, of a topic that is removed, is dropped. */
const reportLost = (leader: LeaderContext["Type"], { brokerEpoch, brokerId, lost }: Request, context: RequestContext): Effect.Effect<void> =>
  Effect.forEach(
    lost,
    ({ from, leaderEpoch, partition, to, topicId }, at) => {
      const command = Command.ReportLostRecords({
        brokerId,
        brokerEpoch: Number(brokerEpoch),
        topicId,
        partition,
        leaderEpoch,
        from: Number(from),
        to: Number(to)
      })
      const name = nameOf(leader, brokerId)
      const line = `${name} removed the committed records ${from} to ${to - 1n} of partition ${partition} of topic ${topicId}, since its leader of epoch ${leaderEpoch} does not have them`
      return leader.writer.submit(submission(leader, command, context, "BrokerHeartbeat", `lost-${at}`)).pipe(
        Effect.zipRight(leader.brokers.changes.log(LogLevel.Warning, `${name} lost`, line)),
        Effect.catchAll(({ message }) => Effect.logDebug(`A report of lost records was dropped: ${message}`))
      )
    },
    { discard: true }
  )

/**
 * BrokerHeartbeat 0-2: a broker lives. Most of them change nothing: they are answered at once from the durable state, and only note the time.
 * One that fences or unfences the broker goes through the journal. CLUSTER_AUTHORIZATION_FAILED on a connection on which that broker has not registered.
 */
export const brokerHeartbeat = (leader: LeaderContext["Type"]): Route => {
  const { brokers, writer } = leader
  return route(BrokerHeartbeat, {}, (request, context) => {
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
    if (stranger !== undefined) return Effect.as(brokers.refusals.log(LogLevel.Warning, `heartbeat ${context.clientHost}`, stranger.message), refused(stranger))
    const brokerId = request.brokerId as BrokerId
    brokers.links.leaving(brokerId, request.wantShutDown)
    brokers.sessions.record(brokerId, command.brokerEpoch)
    brokers.observers.record(brokerId, command.metadataOffset)
    const beat = Effect.suspend((): Effect.Effect<Response> => {
      if (now.right.length === 0) return Effect.succeed(accepted(leader, request))
      // Only unfencing is held back: a broker that stops is fenced at once, and must be unfenced before it can be fenced again.
      const waitMs = now.right[0]?._tag === "BrokerUnfenced" ? brokers.pace.take(writer.state(), request.brokerId, "enters") : undefined
      if (waitMs !== undefined) return heldBack(leader, request, waitMs)
      return writer.submit(submission(leader, command, context, "BrokerHeartbeat")).pipe(
        Effect.tap(({ events }) => logChange(leader, request.brokerId, events)),
        Effect.match({ onSuccess: () => accepted(leader, request), onFailure: refused })
      )
    })
    if (request.lost.length > 0 || request.disowned.length > 0)
      return Effect.matchEffect(Effect.zipRight(reportLost(leader, request, context), disown(leader, request, context)), {
        onSuccess: () => beat,
        onFailure: (why) => Effect.succeed(refused(why))
      })
    // Most heartbeats change nothing, and cost no Effect.
    return now.right.length === 0 ? accepted(leader, request) : beat
  })
}
