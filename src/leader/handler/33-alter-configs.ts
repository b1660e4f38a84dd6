import { Effect } from "effect"
import { AlterConfigs } from "../../protocol/message/33-alter-configs.ts"
import { type Route, route } from "../../wire/route.ts"
import { changeConfigs } from "../config-changes.ts"
import type { LeaderRoom } from "../room.ts"

/** AlterConfigs 0-2: the settings of topics and nodes are replaced as a whole. Errors of a resource: those of IncrementalAlterConfigs. */
export const alterConfigs = (room: LeaderRoom): Route =>
  route(AlterConfigs, {}, ({ resources, validateOnly }, context) => {
    const asked = resources.map(({ configs, resourceName, resourceType }) => ({
      resourceType,
      resourceName,
      changes: configs.map(({ name, value }) => ({ name, value, operation: "set" as const }))
    }))
    return Effect.map(changeConfigs(room, context, "AlterConfigs", { resources: asked, replace: true, validateOnly }), (responses) => ({
      throttleTimeMs: 0,
      responses
    }))
  })
