import { Effect } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { CommandIds } from "../../stream/command-ids.ts"
import { ClusterStream } from "../journal/cluster-stream.ts"
import { LeaderSettings } from "../settings.ts"

/** Elections of one step. Each makes clients ask for metadata again, so that steps have a pause between them. */
const electionsPerStepMax = 100
const pauseMs = 1000

/** One step; returns how many partitions have their preferred leader again. */
const step = Effect.gen(function* () {
  const { writer } = yield* ClusterStream
  const commandIds = yield* CommandIds
  const { config } = yield* LeaderSettings
  const command = Command.BalanceLeaders({
    imbalancePercentMax: config["leader.imbalance.per.broker.percentage"],
    electionsMax: electionsPerStepMax
  })
  const outcome = yield* Effect.either(writer.submit({ command, commandId: commandIds.own(), actor: "leader", cause: "auto.leader.rebalance.enable" }))
  if (outcome._tag === "Left") return 0
  return outcome.right.events.reduce((sum, event) => sum + (event._tag === "LeadersElected" ? event.rows.length : 0), 0)
})

/** Steps until no broker leads fewer partitions than it should. */
const balance: Effect.Effect<void, never, ClusterStream | CommandIds | LeaderSettings> = Effect.gen(function* () {
  let elected = 0
  for (let more = yield* step; more > 0; more = yield* Effect.delay(step, pauseMs)) elected += more
  if (elected > 0)
    yield* Effect.logInfo(`${elected === 1 ? "1 partition is" : `${elected} partitions are`} led by preferred leaders again (auto.leader.rebalance.enable)`)
})

/**
 * Elects preferred leaders every `leader.imbalance.check.interval.seconds`, where brokers lead fewer of the partitions that prefer them than
 * `leader.imbalance.per.broker.percentage` allows; for as long as it runs. Only members of in-sync sets are elected.
 */
export const keepLeadersBalanced: Effect.Effect<never, never, ClusterStream | CommandIds | LeaderSettings> = Effect.gen(function* () {
  const { config } = yield* LeaderSettings
  if (!config["auto.leader.rebalance.enable"]) return yield* Effect.never
  return yield* Effect.forever(Effect.delay(balance, config["leader.imbalance.check.interval.seconds"] * 1000))
})
