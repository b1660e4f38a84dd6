import { Effect } from "effect"
import type { ConfigChange } from "../../../domain/cluster/command.ts"
import { IncrementalAlterConfigs } from "../../protocol/message/44-incremental-alter-configs.ts"
import type { RequestOf } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { mapped, Sliced } from "../../wire/sliced.ts"
import { changeConfigs, type Resource } from "../administration/config-changes.ts"
import type { LeaderContext } from "../context.ts"

/** By Kafka's numbers. */
const operations: ReadonlyArray<ConfigChange["operation"]> = ["set", "delete", "append", "subtract"]

const resourceOf = ({ configs, resourceName, resourceType }: RequestOf<typeof IncrementalAlterConfigs>["resources"][number]): Resource => {
  const strange = configs.find(({ configOperation }) => operations[configOperation] === undefined)
  return {
    resourceType,
    resourceName,
    changes: configs.map(({ name, configOperation, value }) => ({ name, value, operation: operations[configOperation] ?? "set" })),
    fault:
      strange === undefined
        ? undefined
        : { error: "INVALID_REQUEST", message: `Unknown operation ${strange.configOperation}: 0 sets, 1 deletes, 2 appends, 3 subtracts.` }
  }
}

/**
 * IncrementalAlterConfigs 0-1 (KIP-339): single settings of topics and nodes are set, deleted, or changed where they are lists. Errors of a resource: INVALID_CONFIG with
 * the name, the value and what would fit; UNKNOWN_TOPIC_OR_PARTITION; INVALID_TOPIC_EXCEPTION; INVALID_REQUEST for other kinds, for what cannot be changed while a node runs, and for what is named twice.
 */
export const incrementalAlterConfigs = (leader: LeaderContext["Type"]): Route =>
  route(
    IncrementalAlterConfigs,
    {},
    ({ resources, validateOnly }, context) =>
      new Sliced(function* () {
        const asked = yield* mapped(resources, resourceOf)
        return Effect.map(changeConfigs(leader, context, "IncrementalAlterConfigs", { resources: asked, replace: false, validateOnly }), (responses) => ({
          responses
        }))
      })
  )
