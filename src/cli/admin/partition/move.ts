import { Effect, Option } from "effect"
import type { AdminService } from "../../../client/admin/admin.ts"
import { jsonOption, leaderOption, withAdmin } from "../../client/options.ts"
import { command } from "../../shell/command.ts"
import { CliFailure } from "../../shell/failure.ts"
import { print, printJson } from "../../shell/screen.ts"
import { flag, optionalInteger, optionalText, repeatedArgument } from "../../shell/spec.ts"
import { moveText } from "./move-text.ts"
import { type NamedPartition, namedPartitions } from "./names.ts"
import { reported } from "./results.ts"
import { replicasFor } from "./targets.ts"

/** Partitions with their new replicas; null cancels. */
type Target = readonly [NamedPartition, ReadonlyArray<number> | null]

const usage = (message: string) => new CliFailure({ exit: "usage", message })

/** The brokers of `--to 1,2,3`. */
const brokersOf = (text: string): Effect.Effect<ReadonlyArray<number>, CliFailure> => {
  const words = text.split(",").map((word) => word.trim())
  return words.every((word) => /^\d{1,10}$/.test(word))
    ? Effect.succeed(words.map(Number))
    : Effect.fail(usage(`--to ${text}: expected the ids of brokers with a comma between two, the preferred leader first, e.g. --to 1,2,3.`))
}

/** The same number of replicas for all partitions, on the brokers with the fewest. */
const resized = (admin: AdminService, named: ReadonlyArray<NamedPartition>, count: number) =>
  Effect.gen(function* () {
    const brokers = (yield* admin.listBrokers).filter(({ isFenced }) => !isFenced).map(({ id, partitions, rack }) => ({ id, rack, partitions }))
    const targets: Array<Target> = []
    for (const each of named) {
      const replicas = replicasFor(each.view.replicas, count, brokers)
      if (replicas === undefined)
        return yield* new CliFailure({
          exit: "refused",
          message: `--replication-factor ${count}: ${brokers.length} brokers serve. Start more, or give fewer replicas.`
        })
      targets.push([each, replicas])
    }
    return targets
  })

interface MoveWords {
  readonly to: Option.Option<string>
  readonly replication: Option.Option<number>
  readonly cancel: boolean
}

const targetsOf = (admin: AdminService, named: ReadonlyArray<NamedPartition>, { cancel, replication, to }: MoveWords) =>
  Effect.gen(function* () {
    if (cancel) return named.map((each): Target => [each, null])
    if (Option.isSome(replication)) return yield* resized(admin, named, replication.value)
    const brokers = yield* brokersOf(Option.getOrElse(to, () => ""))
    return named.map((each): Target => [each, brokers])
  })

/** Exactly one of the three says what to do. */
const checked = ({ cancel, replication, to }: MoveWords): Effect.Effect<void, CliFailure> => {
  if (Number(cancel) + Number(Option.isSome(replication)) + Number(Option.isSome(to)) !== 1)
    return Effect.fail(usage("Give one of --to BROKERS, --replication-factor N and --cancel."))
  const count = Option.getOrElse(replication, () => 1)
  return count >= 1 && count <= 32_767 ? Effect.void : Effect.fail(usage(`--replication-factor ${count}: expected a whole number from 1 to 32767.`))
}

export const partitionMove = command({
  path: "partition move",
  summary: "move partitions to other brokers, or give them more or fewer replicas",
  about: [
    "The copies are made after the command: `franz cluster doctor` lists the moves under way.",
    "A partition is served all the time; its old replicas are removed when the new ones are in sync."
  ],
  example: ["franz partition move orders-0 --to 2,3,4", "franz partition move orders --replication-factor 3", "franz partition move orders-0 --cancel"],
  options: {
    ...leaderOption,
    to: optionalText({ name: "to", placeholder: "BROKERS", help: "The ids of the new replicas, the preferred leader first: 1,2,3." }),
    replication: optionalInteger({
      name: "replication-factor",
      help: "Replicas of each partition; those that it has stay, and the brokers with the fewest get new ones."
    }),
    cancel: flag({ name: "cancel", help: "Cancel moves: the partitions return to the replicas that they had." }),
    ...jsonOption
  },
  argument: repeatedArgument("PARTITION", "A partition, as orders-0, or a topic with all its partitions; may be repeated."),
  run: (words, names) =>
    Effect.zipRight(
      checked(words),
      withAdmin(words, (admin) =>
        Effect.gen(function* () {
          const targets = yield* targetsOf(admin, yield* namedPartitions(admin, names), words)
          const asked = targets.map(([{ partition, topic }, replicas]) => ({ topic, partition, replicas }))
          const byName = new Map(targets.map((target) => [`${target[0].topic}-${target[0].partition}`, target]))
          yield* reported(yield* admin.alterReassignments(asked), ({ partition, topic }) => {
            const [before, replicas = null] = byName.get(`${topic}-${partition}`) ?? []
            if (words.json) printJson({ topic, partition, ...(replicas === null ? { cancelled: true } : { replicas }) })
            else print(`${topic}-${partition}: ${replicas === null ? "the move is cancelled" : moveText(before?.view.replicas ?? [], replicas)}`)
          })
        })
      )
    )
})
