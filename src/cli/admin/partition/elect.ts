import { Effect, Either } from "effect"
import { jsonOption, leaderOption, withAdmin } from "../../client/options.ts"
import { command } from "../../shell/command.ts"
import { CliFailure } from "../../shell/failure.ts"
import { print, printJson } from "../../shell/screen.ts"
import { flag, repeatedOptionalArgument } from "../../shell/spec.ts"
import { namedPartitions } from "./names.ts"
import { reported } from "./results.ts"

/** Whether a partition has the leader that an election would give it. */
export const isSatisfied = (leader: number, replicas: ReadonlyArray<number>, isUnclean: boolean): boolean =>
  leader !== -1 && (isUnclean || leader === replicas[0])

export const partitionElect = command({
  path: "partition elect",
  summary: "elect the preferred leaders of partitions, or after a loss any replica",
  about: [
    "Without PARTITION it elects the preferred leaders of all partitions that need it.",
    "--unclean lets a replica lead that lacks messages: those that only lost replicas had are gone. It needs the names of partitions."
  ],
  example: ["franz partition elect", "franz partition elect orders", "franz partition elect orders-0 --unclean"],
  options: {
    ...leaderOption,
    unclean: flag({ name: "unclean", help: "Where no replica with all messages runs, elect one that does. Messages are lost." }),
    ...jsonOption
  },
  argument: repeatedOptionalArgument("PARTITION", "A partition, as orders-0, or a topic with all its partitions; may be repeated."),
  run: (words, names) =>
    Effect.gen(function* () {
      if (words.unclean && names.length === 0)
        return yield* new CliFailure({
          exit: "usage",
          message: "--unclean loses messages: name the partitions, e.g. `franz partition elect orders-0 --unclean`."
        })
      yield* withAdmin(words, (admin) =>
        Effect.gen(function* () {
          const found = yield* namedPartitions(admin, names)
          const named = found.map(({ partition, topic }) => ({ topic, partition }))
          // The client counts an election that is not needed as done: what was asked for is so.
          const satisfied = new Set(
            found
              .filter(({ view: { leader, replicas } }) => isSatisfied(leader, replicas, words.unclean))
              .map(({ partition, topic }) => `${topic}-${partition}`)
          )
          const results = yield* admin.electLeaders(words.unclean ? "unclean" : "preferred", names.length === 0 ? "all" : named)
          const isNeeded = ({ item: { partition, topic }, result }: (typeof results)[number]) =>
            Either.isLeft(result) || !satisfied.has(`${topic}-${partition}`)
          const needed = results.filter(isNeeded)
          yield* reported(needed, ({ partition, topic }) =>
            words.json ? printJson({ topic, partition, elected: true }) : print(`${topic}-${partition}: has a new leader`)
          )
          for (const { item } of results.filter((one) => !isNeeded(one))) {
            if (words.json) printJson({ ...item, elected: false })
            else print(`${item.topic}-${item.partition}: needs no election`)
          }
          if (results.length === 0 && !words.json) print("Every partition is led by its preferred leader.")
        })
      )
    })
})
