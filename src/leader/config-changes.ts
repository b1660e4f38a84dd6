import { Effect, Either } from "effect"
import { Command, type ConfigChange } from "../../domain/cluster/command.ts"
import { errorCode, type Rejection } from "../../domain/kernel/error-code.ts"
import type { RequestContext } from "../wire/route.ts"
import { filtered, mapped, runSteps, type Steps, timesNamed } from "../wire/sliced.ts"
import { type ClusterOutcome, type LeaderRoom, refusal, submission } from "./room.ts"

/** A topic or a node whose settings shall be changed. */
export interface Resource {
  readonly resourceType: number
  readonly resourceName: string
  readonly changes: ReadonlyArray<ConfigChange>
  /** What speaks against it before anything is decided. */
  readonly fault?: Rejection | undefined
}
interface Answer {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly resourceType: number
  readonly resourceName: string
}

/** Kinds of resources, in Kafka's numbers. */
const resource = { topic: 2, broker: 4 } as const
/** Resources that one request may name. */
const resourcesPerRequestMax = 10_000

/** Settings of one resource that a request may name: twice as many as Kafka has. */
const changesPerResourceMax = 1000

const invalid = (message: string): Rejection => ({ error: "INVALID_REQUEST", message })
const keyOf = ({ resourceName, resourceType }: Resource): string => `${resourceType} ${resourceName}`

/** What can be said of a resource without the cluster: the settings of topics and nodes can be changed, and nothing else's. */
function* faultOf(all: ReadonlyArray<Resource>): Steps<(asked: Resource) => Rejection | undefined> {
  const times = yield* timesNamed(all, keyOf)
  return (asked: Resource): Rejection | undefined => {
    const { fault, resourceName, resourceType } = asked
    if (all.length > resourcesPerRequestMax)
      return { error: "POLICY_VIOLATION", message: `One request changes ${resourcesPerRequestMax} resources at most; this one names ${all.length}.` }
    if (times.get(keyOf(asked)) !== 1) return invalid("Each resource must appear at most once.")
    if (resourceType !== resource.topic && resourceType !== resource.broker)
      return invalid(`Resources of type ${resourceType} have no settings that can be changed: 2 stands for topics, 4 for nodes.`)
    if (asked.changes.length > changesPerResourceMax)
      return invalid(`One request changes ${changesPerResourceMax} settings of a resource at most; this one names ${asked.changes.length}.`)
    if (resourceType === resource.topic && resourceName === "") return invalid("Default topic resources are not allowed.")
    return fault
  }
}

/**
 * Changes the settings of topics and nodes, each by a command of its own: one that is refused does not stop the others. Answered when the events are durable; brokers
 * follow them after that. With `replace` what is not named takes its default.
 */
export const changeConfigs = (
  room: LeaderRoom,
  context: RequestContext,
  cause: string,
  request: { readonly resources: ReadonlyArray<Resource>; readonly replace: boolean; readonly validateOnly: boolean }
): Effect.Effect<ReadonlyArray<Answer>> =>
  Effect.gen(function* () {
    const { replace, resources, validateOnly } = request
    const fault = yield* runSteps(faultOf(resources))
    const sound = yield* runSteps(filtered(resources, (asked) => fault(asked) === undefined))
    const submissionOf = (asked: Resource) => {
      const change = { replace, changes: asked.changes, validateOnly }
      const command =
        asked.resourceType === resource.broker
          ? Command.ChangeNodeConfigs({ node: asked.resourceName, ...change })
          : Command.ChangeTopicConfigs({ topic: asked.resourceName, ...change })
      return submission(room, command, context, cause, keyOf(asked))
    }
    const outcomes = yield* room.writer.submitAll(yield* runSteps(mapped(sound, submissionOf)))
    const byResource = new Map(sound.map((asked, index) => [asked, outcomes[index] as ClusterOutcome]))
    const answer = (asked: Resource): Answer => {
      const outcome = byResource.get(asked) ?? Either.left(fault(asked) as Rejection)
      const said = Either.match(outcome, { onLeft: refusal, onRight: () => ({ errorCode: errorCode("NONE"), errorMessage: null }) })
      return { ...said, resourceType: asked.resourceType, resourceName: asked.resourceName }
    }
    return yield* runSteps(mapped(resources, answer))
  })
