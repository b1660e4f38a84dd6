import { Effect } from "effect"
import { AlterConfigs } from "../../protocol/message/33-alter-configs.ts"
import type { RequestOf } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { mapped, Sliced } from "../../wire/sliced.ts"
import { changeConfigs, type Resource } from "../administration/config-changes.ts"
import type { LeaderContext } from "../context.ts"

const resourceOf = ({ configs, resourceName, resourceType }: RequestOf<typeof AlterConfigs>["resources"][number]): Resource => ({
  resourceType,
  resourceName,
  changes: configs.map(({ name, value }) => ({ name, value, operation: "set" as const }))
})

/** AlterConfigs 0-2: the settings of topics and nodes are replaced as a whole. Errors of a resource: those of IncrementalAlterConfigs. */
export const alterConfigs = (leader: LeaderContext["Type"]): Route =>
  route(
    AlterConfigs,
    {},
    ({ resources, validateOnly }, context) =>
      new Sliced(function* () {
        const asked = yield* mapped(resources, resourceOf)
        return Effect.map(changeConfigs(leader, context, "AlterConfigs", { resources: asked, replace: true, validateOnly }), (responses) => ({
          responses
        }))
      })
  )
