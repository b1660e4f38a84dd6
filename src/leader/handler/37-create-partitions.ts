import { Effect, Either } from "effect"
import { partitionsPerTopicMax } from "../../../domain/cluster/bounds.ts"
import { Command } from "../../../domain/cluster/command.ts"
import { errorCode, type Rejection } from "../../../domain/kernel/error-code.ts"
import { CreatePartitions } from "../../protocol/message/37-create-partitions.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { filtered, mapped, runSteps, Sliced, type Steps, timesNamed, visited } from "../../wire/sliced.ts"
import { type ClusterOutcome, type LeaderContext, refusal, submission } from "../context.ts"

type Request = RequestOf<typeof CreatePartitions>
type TopicRequest = Request["topics"][number]
type Result = ResponseDraft<typeof CreatePartitions>["results"][number]

const topicsPerRequestMax = partitionsPerTopicMax

function* faultOf(topics: ReadonlyArray<TopicRequest>): Steps<(asked: TopicRequest) => Rejection | undefined> {
  const times = yield* timesNamed(topics, ({ name }) => name)
  return ({ name }) => {
    if (topics.length > topicsPerRequestMax)
      return { error: "POLICY_VIOLATION", message: `One request changes ${topicsPerRequestMax} topics at most; this one names ${topics.length}.` }
    return times.get(name) === 1 ? undefined : { error: "INVALID_REQUEST", message: "Duplicate topic name in request." }
  }
}

/** CreatePartitions 0-3: a topic gets more partitions, never fewer. */
export const createPartitions = (leader: LeaderContext["Type"]): Route => {
  const handle = (request: Request, context: RequestContext): Effect.Effect<Sliced<ResponseDraft<typeof CreatePartitions>>> =>
    Effect.gen(function* () {
      const fault = yield* runSteps(faultOf(request.topics))
      const sound = yield* runSteps(filtered(request.topics, (asked) => fault(asked) === undefined))
      const submissionOf = ({ name, count, assignments }: TopicRequest) => {
        const replicas = assignments === null ? null : assignments.map(({ brokerIds }) => brokerIds)
        return submission(
          leader,
          Command.AddPartitions({
            topic: name,
            count,
            assignments: replicas,
            partitionsPerBrokerMax: leader.partitionsPerBrokerMax,
            validateOnly: request.validateOnly
          }),
          context,
          "CreatePartitions",
          name
        )
      }
      const outcomes = yield* leader.writer.submitAll(yield* runSteps(mapped(sound, submissionOf)))
      const byName = new Map(sound.map(({ name }, index) => [name, outcomes[index] as ClusterOutcome]))
      const answer = (asked: TopicRequest) => {
        const outcome = byName.get(asked.name) ?? Either.left(fault(asked) as Rejection)
        return Either.match(outcome, { onLeft: refusal, onRight: () => ({ errorCode: errorCode("NONE"), errorMessage: null }) })
      }
      return new Sliced(function* () {
        const results = new Map<string, Result>()
        yield* visited(request.topics, (asked) => void results.set(asked.name, { name: asked.name, ...answer(asked) }))
        return { results: [...results.values()] }
      })
    })
  return route(CreatePartitions, {}, handle)
}
