import { Effect, Either } from "effect"
import { partitionsPerTopicMax } from "../../../domain/cluster/bounds.ts"
import { Command } from "../../../domain/cluster/command.ts"
import { type Cluster, topicById, topicByName } from "../../../domain/cluster/state.ts"
import { errorCode, type Rejection } from "../../../domain/kernel/error-code.ts"
import { type TopicId, zeroTopicId } from "../../../domain/kernel/id.ts"
import { DeleteTopics } from "../../protocol/message/20-delete-topics.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { type ClusterOutcome, type LeaderRoom, refusal, submission } from "../room.ts"

type Request = RequestOf<typeof DeleteTopics>
type Answer = ResponseDraft<typeof DeleteTopics>["responses"][number]
interface Asked {
  readonly name: string | null
  readonly topicId: string
}

/** From version 6 on topics are named by name or by id, before that by name alone. */
const askedFor = (request: Request, version: number): ReadonlyArray<Asked> =>
  version >= 6 ? request.topics : request.topicNames.map((name) => ({ name, topicId: zeroTopicId }))
const keyOf = ({ name, topicId }: Asked): string => (topicId === zeroTopicId ? `name ${name}` : topicId)

const topicsPerRequestMax = partitionsPerTopicMax

/** How often each topic is named: a topic that is asked for by its name and by its id is named twice. */
const timesNamed = (cluster: Cluster, asked: ReadonlyArray<Asked>): ReadonlyMap<string, number> => {
  const times = new Map<string, number>()
  const count = (key: string) => times.set(key, (times.get(key) ?? 0) + 1)
  for (const each of asked) {
    count(keyOf(each))
    if (each.name !== null && each.topicId !== zeroTopicId) continue
    const topic = each.name === null ? topicById(cluster, each.topicId as TopicId) : topicByName(cluster, each.name)
    if (topic !== undefined) count(each.name === null ? `name ${topic.name}` : topic.topicId)
  }
  return times
}

const faultOf = (room: LeaderRoom, asked: ReadonlyArray<Asked>, version: number) => {
  const times = timesNamed(room.writer.state(), asked)
  return (each: Asked): Rejection | undefined => {
    // Version 3 brought the error; before it, a client could not read it.
    if (!room.config["delete.topic.enable"])
      return { error: version >= 3 ? "TOPIC_DELETION_DISABLED" : "INVALID_REQUEST", message: "Topics cannot be removed: delete.topic.enable is false." }
    if (asked.length > topicsPerRequestMax)
      return { error: "POLICY_VIOLATION", message: `One request removes ${topicsPerRequestMax} topics at most; this one names ${asked.length}.` }
    if (each.name !== null && each.topicId !== zeroTopicId) return { error: "INVALID_REQUEST", message: "You may not specify both topic name and topic id." }
    if (each.name === null && each.topicId === zeroTopicId) return { error: "INVALID_REQUEST", message: "Neither topic name nor id were specified." }
    return times.get(keyOf(each)) === 1 ? undefined : { error: "INVALID_REQUEST", message: "The same topic is named more than once." }
  }
}

const answer = ({ name, topicId }: Asked, outcome: ClusterOutcome): Answer =>
  Either.match(outcome, {
    onLeft: (rejection) => ({ name, topicId, ...refusal(rejection) }),
    onRight: ({ events }) => {
      const removed = events.find((event) => event._tag === "TopicRemoved")
      return { name: removed?.topic ?? name, topicId: removed?.topicId ?? topicId, errorCode: errorCode("NONE"), errorMessage: null }
    }
  })

/** DeleteTopics 1-6. Answered when the removal is durable; brokers drop the data when they read of it. A topic's id is never used again (L10). */
export const deleteTopics = (room: LeaderRoom): Route => {
  const handle = (request: Request, context: RequestContext): Effect.Effect<ResponseDraft<typeof DeleteTopics>> =>
    Effect.gen(function* () {
      const asked = askedFor(request, context.version)
      const fault = faultOf(room, asked, context.version)
      const sound = asked.filter((each) => fault(each) === undefined)
      const commands = sound.map((each) =>
        submission(
          room,
          Command.RemoveTopic({ topic: each.name === null ? { topicId: each.topicId as TopicId } : { name: each.name } }),
          context,
          "DeleteTopics",
          each.name ?? each.topicId
        )
      )
      const outcomes = yield* room.writer.submitAll(commands)
      const answers = new Map(sound.map((each, index) => [each, answer(each, outcomes[index] as ClusterOutcome)]))
      const responses = asked.map((each): readonly [string, Answer] => [
        keyOf(each),
        answers.get(each) ?? { name: each.name, topicId: each.topicId, ...refusal(fault(each) as Rejection) }
      ])
      // What is named twice is answered once.
      return { throttleTimeMs: 0, responses: [...new Map(responses).values()] }
    })
  return route(DeleteTopics, {}, handle)
}
