import { Effect, Either } from "effect"
import { Command, type ConfigChange } from "../../../domain/cluster/command.ts"
import type { ResourceKind } from "../../../domain/kernel/config.ts"
import { errorCode, type Rejection } from "../../../domain/kernel/error-code.ts"
import type { RequestContext } from "../../wire/route.ts"
import { filtered, mapped, runSteps, type Steps, timesNamed } from "../../wire/sliced.ts"
import { type ClusterOutcome, type LeaderContext, refusal, submission } from "../context.ts"

/** A topic, a node, a group or a subscription, and the changes of its settings. */
export interface Resource {
  readonly resourceType: number
  readonly resourceName: string
  readonly changes: ReadonlyArray<ConfigChange>
  /** Why the request for it is invalid, as far as that is known without the cluster. */
  readonly fault?: Rejection | undefined
}
interface ResourceResponse {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly resourceType: number
  readonly resourceName: string
}

/** Kinds of resources, in Kafka's numbers. */
const resource = { topic: 2, broker: 4, loggers: 8, clientMetrics: 16, group: 32 } as const
const kinds: Readonly<Record<number, ResourceKind>> = { [resource.clientMetrics]: "client-metrics", [resource.group]: "group" }
/** Resources that one request may name. */
const resourcesPerRequestMax = 10_000

/** Changes of one resource that a request may name: more than twice the number of Kafka's settings. */
const changesPerResourceMax = 1000

const invalid = (message: string): Rejection => ({ error: "INVALID_REQUEST", message })
const keyOf = ({ resourceName, resourceType }: Resource): string => `${resourceType} ${resourceName}`

/** Returns why a request for a resource is invalid, as far as that is known without the cluster. */
function* faultOf(all: ReadonlyArray<Resource>): Steps<(asked: Resource) => Rejection | undefined> {
  const times = yield* timesNamed(all, keyOf)
  return (asked: Resource): Rejection | undefined => {
    const { fault, resourceName, resourceType } = asked
    if (all.length > resourcesPerRequestMax)
      return { error: "POLICY_VIOLATION", message: `One request changes ${resourcesPerRequestMax} resources at most; this one names ${all.length}.` }
    if (times.get(keyOf(asked)) !== 1) return invalid("Each resource must appear at most once.")
    if (resourceType === resource.loggers) return invalid("The level of a node's log is fixed while it runs.")
    if (resourceType !== resource.topic && resourceType !== resource.broker && kinds[resourceType] === undefined)
      return invalid(`Resources of type ${resourceType} have no settings: 2 means topics, 4 nodes, 16 client metrics, 32 groups.`)
    if (asked.changes.length > changesPerResourceMax)
      return invalid(`One request changes ${changesPerResourceMax} settings of a resource at most; this one names ${asked.changes.length}.`)
    if (resourceType === resource.topic && resourceName === "") return invalid("Default topic resources are not allowed.")
    return fault
  }
}

/**
 * Changes the settings of topics, nodes, groups and subscriptions to clients' metrics, each by a command of its own: one that is refused does not stop the others. Answered when the events are durable; brokers
 * follow them after that. With `replace`, settings that are not named take their defaults.
 */
export const changeConfigs = (
  leader: LeaderContext["Type"],
  context: RequestContext,
  cause: string,
  request: { readonly resources: ReadonlyArray<Resource>; readonly replace: boolean; readonly validateOnly: boolean }
): Effect.Effect<ReadonlyArray<ResourceResponse>> =>
  Effect.gen(function* () {
    const { replace, resources, validateOnly } = request
    const fault = yield* runSteps(faultOf(resources))
    const sound = yield* runSteps(filtered(resources, (asked) => fault(asked) === undefined))
    const submissionOf = (asked: Resource) => {
      const change = { replace, changes: asked.changes, validateOnly }
      const name = asked.resourceName
      const kind = kinds[asked.resourceType]
      const command =
        kind !== undefined
          ? Command.ChangeResourceConfigs({ kind, name, node: leader.config, ...change })
          : asked.resourceType === resource.broker
            ? Command.ChangeNodeConfigs({ node: name, ...change })
            : Command.ChangeTopicConfigs({ topic: name, ...change })
      return submission(leader, command, context, cause, keyOf(asked))
    }
    const outcomes = yield* leader.writer.submitAll(yield* runSteps(mapped(sound, submissionOf)))
    const byResource = new Map(sound.map((asked, index) => [asked, outcomes[index] as ClusterOutcome]))
    const answer = (asked: Resource): ResourceResponse => {
      const outcome = byResource.get(asked) ?? Either.left(fault(asked) as Rejection)
      const said = Either.match(outcome, { onLeft: refusal, onRight: () => ({ errorCode: errorCode("NONE"), errorMessage: null }) })
      return { ...said, resourceType: asked.resourceType, resourceName: asked.resourceName }
    }
    return yield* runSteps(mapped(resources, answer))
  })
