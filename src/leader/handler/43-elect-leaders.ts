import { Effect, Either } from "effect"
import { Command, type TopicPartition } from "../../../domain/cluster/command.ts"
import type { Event } from "../../../domain/cluster/event.ts"
import { electionFault } from "../../../domain/cluster/replication/elections.ts"
import { type Cluster, sortedTopics, topicByName } from "../../../domain/cluster/state.ts"
import { errorCode, type Rejection } from "../../../domain/kernel/error-code.ts"
import { ElectLeaders } from "../../protocol/message/43-elect-leaders.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { mapped, nested, runSteps, Sliced, type Steps } from "../../wire/sliced.ts"
import { type LeaderContext, refusal, submission } from "../context.ts"

type Request = RequestOf<typeof ElectLeaders>
type Response = ResponseDraft<typeof ElectLeaders>
type Kind = "preferred" | "unclean"

/** The election types of KIP-460. */
const kinds: Readonly<Record<number, Kind>> = { 0: "preferred", 1: "unclean" }
/** Partitions that one command elects leaders for: see the same bound of reassignments. */
const partitionsPerCommandMax = 500

/** A topic and the partitions of it that the response names. */
interface Named {
  readonly topic: string
  readonly partitions: ReadonlyArray<number>
}

/** As in Kafka, a request for all partitions is answered for those that need an election, under the names of all topics. */
function* needing(cluster: Cluster, kind: Kind): Steps<ReadonlyArray<Named>> {
  return yield* nested(
    sortedTopics(cluster),
    ({ partitions }) => Array(partitions.length).keys(),
    ({ name: topic }, partition) => (electionFault(cluster, kind, { topic, partition })?.error === "ELECTION_NOT_NEEDED" ? [] : [partition]),
    ({ name: topic }, partitions) => ({ topic, partitions: partitions.flat() })
  )
}

/** Partitions that events give other leaders, by topic id. */
const electedBy = (events: ReadonlyArray<Event>): ReadonlySet<string> => {
  const elected = new Set<string>()
  for (const event of events) {
    if (event._tag === "LeadersElected") for (const [partition] of event.rows) elected.add(`${event.topicId} ${partition}`)
    if (event._tag === "LeaderElectedUncleanly" || event._tag === "ReassignmentEnded") elected.add(`${event.topicId} ${event.partition}`)
  }
  return elected
}

/** Elects, and returns why a partition has no other leader; undefined where it has. */
const elect = (leader: LeaderContext["Type"], kind: Kind, named: ReadonlyArray<Named>, context: RequestContext) =>
  Effect.gen(function* () {
    const { writer } = leader
    const before = writer.state()
    const all = (yield* runSteps(
      nested(
        named,
        ({ partitions }) => partitions,
        ({ topic }, partition): TopicPartition => ({ topic, partition }),
        (_, found) => found
      )
    )).flat()
    const faults = new Map<string, Rejection>()
    const due = (yield* runSteps(
      mapped(all, (one) => {
        const fault = electionFault(before, kind, one)
        if (fault !== undefined) faults.set(`${one.topic} ${one.partition}`, fault)
        return fault === undefined ? [one] : []
      })
    )).flat()
    const parts = Array.from({ length: Math.ceil(due.length / partitionsPerCommandMax) }, (_, n) =>
      due.slice(n * partitionsPerCommandMax, (n + 1) * partitionsPerCommandMax)
    )
    const outcomes = yield* writer.submitAll(
      parts.map((partitions, at) =>
        submission(leader, Command.ElectLeaders({ kind, partitions, commandedBy: context.actor }), context, "ElectLeaders", `${at}`)
      )
    )
    const elected = new Set<string>()
    for (const [at, outcome] of outcomes.entries()) {
      if (Either.isRight(outcome)) for (const key of electedBy(outcome.right.events)) elected.add(key)
      else for (const { partition, topic } of parts[at] ?? []) faults.set(`${topic} ${partition}`, outcome.left)
    }
    if (kind === "unclean" && elected.size > 0)
      yield* Effect.logWarning(
        `${elected.size} partitions have leaders that may lack records: unclean elections by ${context.actor}. \`franz cluster events\` names them and the replicas that have all records.`
      )
    const after = writer.state()
    return (topic: string, partition: number): Rejection | undefined =>
      faults.get(`${topic} ${partition}`) ??
      (elected.has(`${topicByName(after, topic)?.topicId} ${partition}`)
        ? undefined
        : (electionFault(after, kind, { topic, partition }) ?? { error: "ELECTION_NOT_NEEDED", message: `${topic}-${partition} changed meanwhile.` }))
  })

/**
 * ElectLeaders 0-2 (KIP-460): preferred leaders, or where no in-sync replica is left any replica that runs; each partition by itself. Answered when the events are durable.
 * UNKNOWN_TOPIC_OR_PARTITION, ELECTION_NOT_NEEDED, PREFERRED_LEADER_NOT_AVAILABLE, ELIGIBLE_LEADERS_NOT_AVAILABLE for a partition, which stays as it is. INVALID_REQUEST for an
 * election type that Kafka does not have.
 */
export const electLeaders = (leader: LeaderContext["Type"]): Route => {
  const handle = (request: Request, context: RequestContext): Effect.Effect<Sliced<Response>> =>
    Effect.gen(function* () {
      const { electionType, topicPartitions } = request
      const kind = kinds[electionType]
      const wrong: Rejection | undefined =
        kind === undefined ? { error: "INVALID_REQUEST", message: `There is no election type ${electionType}: 0 is preferred, 1 is unclean.` } : undefined
      const named = topicPartitions ?? (kind === undefined ? [] : yield* runSteps(needing(leader.writer.state(), kind)))
      const faultOf = kind === undefined ? () => wrong : yield* elect(leader, kind, named, context)
      return new Sliced(function* () {
        const replicaElectionResults = yield* nested(
          named,
          ({ partitions }) => partitions,
          ({ topic }, partitionId) => {
            const fault = faultOf(topic, partitionId)
            return { partitionId, ...(fault === undefined ? { errorCode: errorCode("NONE"), errorMessage: null } : refusal(fault)) }
          },
          ({ topic }, partitionResult) => ({ topic, partitionResult })
        )
        return { errorCode: errorCode(wrong?.error ?? "NONE"), replicaElectionResults }
      })
    })
  return route(ElectLeaders, {}, handle)
}
