import { Effect, Either } from "effect"
import { partitionsPerTopicMax } from "../../../domain/cluster/bounds.ts"
import { Command } from "../../../domain/cluster/command.ts"
import { type Cluster, topicById, topicByName } from "../../../domain/cluster/state.ts"
import { errorCode, type Rejection } from "../../../domain/kernel/error-code.ts"
import { type TopicId, zeroTopicId } from "../../../domain/kernel/id.ts"
import { DeleteTopics } from "../../protocol/message/20-delete-topics.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { filtered, mapped, runSteps, Sliced, type Steps, visited } from "../../wire/sliced.ts"
import { type ClusterOutcome, type LeaderContext, refusal, submission } from "../context.ts"

type Request = RequestOf<typeof DeleteTopics>
type TopicResponse = ResponseDraft<typeof DeleteTopics>["responses"][number]
interface TopicRequest {
  readonly name: string | null
  readonly topicId: string
}

/** From version 6 on topics are named by name or by id, before that by name alone. */
function* askedFor(request: Request, version: number): Steps<ReadonlyArray<TopicRequest>> {
  return version >= 6 ? request.topics : yield* mapped(request.topicNames, (name) => ({ name, topicId: zeroTopicId }))
}
const keyOf = ({ name, topicId }: TopicRequest): string => (topicId === zeroTopicId ? `name ${name}` : topicId)

const topicsPerRequestMax = partitionsPerTopicMax

/** How often each topic is named: a topic that is asked for by its name and by its id is named twice. */
function* timesNamed(cluster: Cluster, asked: ReadonlyArray<TopicRequest>): Steps<ReadonlyMap<string, number>> {
  const times = new Map<string, number>()
  const count = (key: string) => times.set(key, (times.get(key) ?? 0) + 1)
  yield* visited(asked, (each) => {
    count(keyOf(each))
    if (each.name !== null && each.topicId !== zeroTopicId) return
    const topic = each.name === null ? topicById(cluster, each.topicId as TopicId) : topicByName(cluster, each.name)
    if (topic !== undefined) count(each.name === null ? `name ${topic.name}` : topic.topicId)
  })
  return times
}

function* faultOf(leader: LeaderContext["Type"], asked: ReadonlyArray<TopicRequest>, version: number): Steps<(each: TopicRequest) => Rejection | undefined> {
  const times = yield* timesNamed(leader.writer.state(), asked)
  return (each) => {
    // Version 3 brought the error; before it, a client could not read it.
    if (!leader.config["delete.topic.enable"])
      return { error: version >= 3 ? "TOPIC_DELETION_DISABLED" : "INVALID_REQUEST", message: "Topics cannot be removed: delete.topic.enable is false." }
    if (asked.length > topicsPerRequestMax)
      return { error: "POLICY_VIOLATION", message: `One request removes ${topicsPerRequestMax} topics at most; this one names ${asked.length}.` }
    if (each.name !== null && each.topicId !== zeroTopicId) return { error: "INVALID_REQUEST", message: "You may not specify both topic name and topic id." }
    if (each.name === null && each.topicId === zeroTopicId) return { error: "INVALID_REQUEST", message: "Neither topic name nor id were specified." }
    return times.get(keyOf(each)) === 1 ? undefined : { error: "INVALID_REQUEST", message: "The same topic is named more than once." }
  }
}

const answer = ({ name, topicId }: TopicRequest, outcome: ClusterOutcome): TopicResponse =>
  Either.match(outcome, {
    onLeft: (rejection) => ({ name, topicId, ...refusal(rejection) }),
    onRight: ({ events }) => {
      const removed = events.find((event) => event._tag === "TopicRemoved")
      return { name: removed?.topic ?? name, topicId: removed?.topicId ?? topicId, errorCode: errorCode("NONE"), errorMessage: null }
    }
  })

/** DeleteTopics 1-6. Answered when the removal is durable; brokers drop the data when they read of it. A topic's id is never used again (L10). */
export const deleteTopics = (leader: LeaderContext["Type"]): Route => {
  const handle = (request: Request, context: RequestContext): Effect.Effect<Sliced<ResponseDraft<typeof DeleteTopics>>> =>
    Effect.gen(function* () {
      const asked = yield* runSteps(askedFor(request, context.version))
      const fault = yield* runSteps(faultOf(leader, asked, context.version))
      const sound = yield* runSteps(filtered(asked, (each) => fault(each) === undefined))
      const submissionOf = (each: TopicRequest) =>
        submission(
          leader,
          Command.RemoveTopic({ topic: each.name === null ? { topicId: each.topicId as TopicId } : { name: each.name } }),
          context,
          "DeleteTopics",
          each.name ?? each.topicId
        )
      const outcomes = yield* leader.writer.submitAll(yield* runSteps(mapped(sound, submissionOf)))
      const answers = new Map(sound.map((each, index) => [each, answer(each, outcomes[index] as ClusterOutcome)]))
      return new Sliced(function* () {
        // What is named twice is answered once.
        const responses = new Map<string, TopicResponse>()
        yield* visited(
          asked,
          (each) => void responses.set(keyOf(each), answers.get(each) ?? { name: each.name, topicId: each.topicId, ...refusal(fault(each) as Rejection) })
        )
        return { responses: [...responses.values()] }
      })
    })
  return route(DeleteTopics, {}, handle)
}
