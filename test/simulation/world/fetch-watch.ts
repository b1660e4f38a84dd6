import { Either } from "effect"
import { decodeRequest } from "../../../src/protocol/codec/compile.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import type { RequestOf, ResponseDraft } from "../../../src/protocol/type/wire.ts"
import type { RequestContext, Route } from "../../../src/wire/route.ts"
import { Findings, type Violation } from "../checker/violation.ts"

/** What a broker knows when it answers. */
interface Eyes {
  /** The leader epoch under which it leads a partition; undefined where it does not. */
  readonly leads: (topicId: string, partition: number) => number | undefined
  /** The epoch of a broker's registration in its image. */
  readonly registered: (broker: number) => number | undefined
  readonly differs: (found: ReadonlyArray<Violation>) => void
}

interface ReplicaFetch {
  readonly replica: number
  readonly brokerEpoch: number
  readonly opensSession: boolean
  /** The leader epochs of the partitions that the request is for, those of its session included. */
  readonly epochs: Map<string, number>
}

const keyOf = (topicId: string, partition: number): string => `${topicId}-${partition}`

const noted = (epochs: Map<string, number>, { forgottenTopicsData, topics }: RequestOf<typeof Fetch>): Map<string, number> => {
  for (const { partitions, topicId } of topics)
    for (const { currentLeaderEpoch, partition } of partitions) epochs.set(keyOf(topicId, partition), currentLeaderEpoch)
  for (const { partitions, topicId } of forgottenTopicsData) for (const partition of partitions) epochs.delete(keyOf(topicId, partition))
  return epochs
}

/**
 * R5, on the wire: a broker answers a replica's fetch under another leader epoch, or under the broker epoch of an earlier
 * process, with an error. Returns the routes of one process, watched.
 */
export const withWatchedFetches = (routes: ReadonlyArray<Route>, eyes: Eyes): ReadonlyArray<Route> => {
  const sessions = new Map<number, Map<string, number>>()
  const asked = new WeakMap<RequestContext, ReplicaFetch>()
  const note = (context: RequestContext, bodyAt: number): void => {
    const request = decodeRequest(Fetch, context.version, context.frame, bodyAt)
    if (Either.isLeft(request) || request.right.replicaState.replicaId < 0) return
    const { replicaState, sessionEpoch, sessionId } = request.right
    const epochs = noted(sessionEpoch > 0 ? (sessions.get(sessionId) ?? new Map()) : new Map(), request.right)
    asked.set(context, { replica: replicaState.replicaId, brokerEpoch: Number(replicaState.replicaEpoch), opensSession: sessionEpoch === 0, epochs })
  }
  const check = ({ brokerEpoch, epochs, opensSession, replica }: ReplicaFetch, { responses, sessionId }: ResponseDraft<typeof Fetch>): void => {
    if (opensSession && sessionId !== undefined && sessionId !== 0) sessions.set(sessionId, epochs)
    const findings = new Findings("R5")
    const registered = eyes.registered(replica) ?? -1
    for (const { partitions, topicId = "" } of responses)
      for (const { errorCode, partitionIndex } of partitions) {
        const leads = eyes.leads(topicId, partitionIndex)
        const epoch = epochs.get(keyOf(topicId, partitionIndex))
        if (errorCode !== 0 || leads === undefined || epoch === undefined) continue
        if (epoch !== leads)
          findings.add(`${topicId}-${partitionIndex} is led under epoch ${leads}; a fetch of broker ${replica} under epoch ${epoch} was answered`)
        if (brokerEpoch < registered)
          findings.add(
            `${topicId}-${partitionIndex}: a fetch of broker ${replica} under broker epoch ${brokerEpoch} was answered; it is registered under ${registered}`
          )
      }
    if (findings.list.length > 0) eyes.differs(findings.list)
  }
  return routes.map((route) =>
    route.api.key !== Fetch.key
      ? route
      : {
          ...route,
          start: (context: RequestContext, bodyAt: number) => {
            note(context, bodyAt)
            return route.start(context, bodyAt)
          },
          encode: (context: RequestContext, answer: unknown) => {
            const one = asked.get(context)
            if (one !== undefined) check(one, answer as ResponseDraft<typeof Fetch>)
            return route.encode(context, answer as never)
          }
        }
  )
}
