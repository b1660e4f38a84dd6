import { Effect, Either } from "effect"
import { partitionsPerTopicMax } from "../../../domain/cluster/bounds.ts"
import { Command } from "../../../domain/cluster/command.ts"
import type { Event } from "../../../domain/cluster/event.ts"
import type { Rejection } from "../../../domain/kernel/error-code.ts"
import { CreateTopics } from "../../protocol/message/19-create-topics.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { createdConfigs } from "../../serve/configs/describe-configs.ts"
import { drawUuid } from "../../stream/uuid.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { filtered, forEachInSlices, mapped, runSteps, Sliced, type Steps, timesNamed, visited } from "../../wire/sliced.ts"
import { type ClusterOutcome, describing, type LeaderContext, refusal, submission } from "../context.ts"

type Request = RequestOf<typeof CreateTopics>
type TopicRequest = Request["topics"][number]
type TopicResponse = ResponseDraft<typeof CreateTopics>["topics"][number]

/** Settings that a topic may be created with: more than Kafka has. */
const configsPerTopicMax = 1000
/** From this version on a topic is answered with its settings (KIP-525). */
const configsSince = 5
/** A topic is described with all its settings. */
const describedPerStep = 2
/** Partitions that one request may add, as in Kafka. */
const partitionsPerRequestMax = partitionsPerTopicMax

const command = (leader: LeaderContext["Type"], asked: TopicRequest, validateOnly: boolean) =>
  Effect.map(drawUuid, (topicId) =>
    Command.AddTopic({
      topic: asked.name,
      topicId,
      partitionCount: asked.numPartitions,
      replicationFactor: asked.replicationFactor,
      defaultPartitionCount: leader.config["num.partitions"],
      defaultReplicationFactor: leader.config["default.replication.factor"],
      partitionsPerBrokerMax: leader.partitionsPerBrokerMax,
      assignments: asked.assignments.map(({ partitionIndex, brokerIds }) => ({ partition: partitionIndex, replicas: brokerIds })),
      configs: asked.configs,
      validateOnly
    })
  )

const partitionsOf = (leader: LeaderContext["Type"], { assignments, numPartitions }: TopicRequest): number =>
  assignments.length > 0 ? assignments.length : numPartitions === -1 ? leader.config["num.partitions"] : numPartitions

const replicationFactorOf = (leader: LeaderContext["Type"], { assignments, replicationFactor }: TopicRequest): number =>
  assignments[0]?.brokerIds.length ?? (replicationFactor === -1 ? leader.config["default.replication.factor"] : replicationFactor)

/** From the events alone, so that a repetition of the command after a restart gets the same answer (M4). */
const added = (leader: LeaderContext["Type"], asked: TopicRequest, events: ReadonlyArray<Event>, version: number): TopicResponse => {
  let topic: Extract<Event, { _tag: "TopicAdded" }> | undefined
  let partitions = 0
  let replicationFactor = 1
  for (const event of events) {
    if (event._tag === "TopicAdded") topic = event
    if (event._tag !== "PartitionPlaced") continue
    partitions++
    replicationFactor = event.replicas.length
  }
  // Without events it was only to be checked, and all of it was right.
  const own = topic?.configs ?? Object.fromEntries(asked.configs.map(({ name, value }) => [name, value ?? ""]))
  return {
    name: topic?.topic ?? asked.name,
    ...(topic === undefined ? {} : { topicId: topic.topicId }),
    errorCode: 0,
    errorMessage: null,
    numPartitions: topic === undefined ? partitionsOf(leader, asked) : partitions,
    replicationFactor: topic === undefined ? replicationFactorOf(leader, asked) : replicationFactor,
    configs: version >= configsSince ? createdConfigs(describing(leader), own) : []
  }
}

const refused = (name: string, rejection: Parameters<typeof refusal>[0]): TopicResponse => ({ name, ...refusal(rejection), configs: [] })

const answer = (leader: LeaderContext["Type"], asked: TopicRequest, outcome: ClusterOutcome, version: number): TopicResponse =>
  Either.match(outcome, { onLeft: (rejection) => refused(asked.name, rejection), onRight: ({ events }) => added(leader, asked, events, version) })

/** What speaks against a topic before anything is decided: that the request names it twice, or asks for too much altogether. */
function* faultOf(leader: LeaderContext["Type"], topics: ReadonlyArray<TopicRequest>): Steps<(asked: TopicRequest) => Rejection | undefined> {
  let partitions = 0
  const times = yield* timesNamed(topics, (asked) => {
    partitions += Math.max(0, partitionsOf(leader, asked))
    return asked.name
  })
  return ({ configs, name }) => {
    if (configs.length > configsPerTopicMax)
      return { error: "INVALID_REQUEST", message: `A topic has ${configsPerTopicMax} settings at most; this one names ${configs.length}.` }
    if (partitions > partitionsPerRequestMax || topics.length > partitionsPerRequestMax)
      return {
        error: "POLICY_VIOLATION",
        message: `Excessively large number of partitions per request: ${partitions}, the most is ${partitionsPerRequestMax}.`
      }
    return times.get(name) === 1 ? undefined : { error: "INVALID_REQUEST", message: "Duplicate topic name." }
  }
}

/**
 * CreateTopics 2-7. Answered when the events are durable; brokers learn of the topic after that, and answer UNKNOWN_TOPIC_OR_PARTITION until they have.
 * Each topic is a command of its own: one that is refused does not stop the others.
 */
export const createTopics = (leader: LeaderContext["Type"]): Route => {
  const handle = (request: Request, context: RequestContext): Effect.Effect<Sliced<ResponseDraft<typeof CreateTopics>>> =>
    Effect.gen(function* () {
      const fault = yield* runSteps(faultOf(leader, request.topics))
      const sound = yield* runSteps(filtered(request.topics, (asked) => fault(asked) === undefined))
      const commands = yield* forEachInSlices(sound, (asked) => command(leader, asked, request.validateOnly))
      const outcomes = yield* leader.writer.submitAll(commands.map((each) => submission(leader, each, context, "CreateTopics", each.topic)))
      return new Sliced(function* () {
        const answers = yield* mapped(
          sound.entries(),
          ([index, asked]) => answer(leader, asked, outcomes[index] as ClusterOutcome, context.version),
          describedPerStep
        )
        const byName = new Map(sound.map((asked, index) => [asked.name, answers[index] as TopicResponse]))
        const topics = new Map<string, TopicResponse>()
        yield* visited(request.topics, (asked) => void topics.set(asked.name, byName.get(asked.name) ?? refused(asked.name, fault(asked) as Rejection)))
        return { topics: [...topics.values()] }
      })
    })
  return route(CreateTopics, {}, handle)
}
