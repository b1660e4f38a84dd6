import { Effect, Either } from "effect"
import { partitionsPerTopicMax } from "../../../domain/cluster/bounds.ts"
import { Command } from "../../../domain/cluster/command.ts"
import { errorCode, type Rejection } from "../../../domain/kernel/error-code.ts"
import { CreatePartitions } from "../../protocol/message/37-create-partitions.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { type ClusterOutcome, type LeaderRoom, refusal, submission } from "../room.ts"

type Request = RequestOf<typeof CreatePartitions>
type Asked = Request["topics"][number]

const topicsPerRequestMax = partitionsPerTopicMax

const faultOf = (topics: ReadonlyArray<Asked>) => {
  const times = new Map<string, number>()
  for (const { name } of topics) times.set(name, (times.get(name) ?? 0) + 1)
  return ({ name }: Asked): Rejection | undefined => {
    if (topics.length > topicsPerRequestMax)
      return { error: "POLICY_VIOLATION", message: `One request changes ${topicsPerRequestMax} topics at most; this one names ${topics.length}.` }
    return times.get(name) === 1 ? undefined : { error: "INVALID_REQUEST", message: "Duplicate topic name in request." }
  }
}

/** CreatePartitions 0-3: a topic gets more partitions, never fewer. */
export const createPartitions = (room: LeaderRoom): Route => {
  const handle = (request: Request, context: RequestContext): Effect.Effect<ResponseDraft<typeof CreatePartitions>> =>
    Effect.gen(function* () {
      const fault = faultOf(request.topics)
      const sound = request.topics.filter((asked) => fault(asked) === undefined)
      const commands = sound.map(({ name, count, assignments }) => {
        const replicas = assignments === null ? null : assignments.map(({ brokerIds }) => brokerIds)
        return submission(
          room,
          Command.AddPartitions({ topic: name, count, assignments: replicas, validateOnly: request.validateOnly }),
          context,
          "CreatePartitions",
          name
        )
      })
      const outcomes = yield* room.writer.submitAll(commands)
      const byName = new Map(sound.map(({ name }, index) => [name, outcomes[index] as ClusterOutcome]))
      const answer = (asked: Asked) => {
        const outcome = byName.get(asked.name) ?? Either.left(fault(asked) as Rejection)
        return Either.match(outcome, { onLeft: refusal, onRight: () => ({ errorCode: errorCode("NONE"), errorMessage: null }) })
      }
      const results = new Map(request.topics.map((asked) => [asked.name, { name: asked.name, ...answer(asked) }]))
      return { throttleTimeMs: 0, results: [...results.values()] }
    })
  return route(CreatePartitions, {}, handle)
}
