import { Effect } from "effect"
import { Command } from "../../domain/cluster/command.ts"
import { raisableEventLevel, unaskedEventLevel } from "../../domain/cluster/event-level.ts"
import { CommandIds } from "../stream/command-ids.ts"
import { ClusterStream } from "./journal/cluster-stream.ts"
import { LeaderSettings } from "./settings.ts"

/** How long to wait before a level is tried again that could not be raised: the disk may be full, ms. */
const retryMs = 1000

/**
 * Raises the cluster's event level as soon as every registered broker knows a higher one, up to the level that the cluster has without groups on partitions, or with them; for as
 * long as it runs. A version that knows the cluster's level alone does nothing.
 */
export const raiseEventLevels: Effect.Effect<never, never, ClusterStream | CommandIds | LeaderSettings> = Effect.gen(function* () {
  const { writer } = yield* ClusterStream
  const commandIds = yield* CommandIds
  const { knownEventLevel: bound } = yield* LeaderSettings
  const raise = Effect.gen(function* () {
    const level = yield* writer.when((cluster) => raisableEventLevel(cluster, bound ?? unaskedEventLevel(cluster)))
    const command = Command.RaiseEventLevel({ level })
    yield* writer.submit({ command, commandId: commandIds.own(), actor: "leader", cause: "every registered broker knows the level" }).pipe(
      Effect.zipRight(Effect.logInfo(`the event level is ${level}: every registered broker knows it, and older versions cannot join any more`)),
      Effect.catchAll(({ message }) => Effect.delay(Effect.logDebug(message), retryMs))
    )
  })
  return yield* Effect.forever(raise)
})
