import { Effect, Option } from "effect"
import type { NodeConfig } from "../../../domain/kernel/config.ts"
import { nodeOptions, nodeSettings } from "../node/settings.ts"
import { type CliCommand, command } from "../shell/command.ts"
import type { CliFailure } from "../shell/failure.ts"
import { print, printJson } from "../shell/screen.ts"
import { flag, noArgument, requiredText } from "../shell/spec.ts"

/** A stream that was copied: the entries from `start` to before `end`. */
interface CopiedStream {
  readonly stream: string
  readonly start: number
  readonly end: number
}

/** Copies journals. The programs supply it, since only they import adapters. */
export type CopyJournal = (options: {
  /** A data directory, or an engine as franz.journal names it. */
  readonly from: string
  readonly to: string
  /** The user, the password and the authorities of the engine. */
  readonly config: NodeConfig
}) => Effect.Effect<ReadonlyArray<CopiedStream>, CliFailure>

const place = "DIR|etcd://…"

export const journalCopy = (copy: CopyJournal): CliCommand<never> =>
  command({
    path: "journal copy",
    summary: "copy the leader's journal from a directory to etcd, or back",
    about: [
      "Copies the streams of the cluster and of its groups with the same indexes and epochs, and compares them at the end.",
      "No node holds a directory meanwhile. The destination has no journal before. From etcd a running cluster can be copied: the copy is what it had at one moment of each stream."
    ],
    example: [
      "franz journal copy --from /var/lib/franz --to etcd://h1:2379,h2:2379,h3:2379/franz",
      "franz journal copy --from etcd://h1:2379/franz --to /backup/journal"
    ],
    options: {
      from: requiredText({ name: "from", placeholder: place, help: "The leader's data directory, or the engine of franz.journal." }),
      to: requiredText({ name: "to", placeholder: place, help: "The same, without a journal." }),
      config: nodeOptions.config,
      set: nodeOptions.set,
      json: flag({ name: "json", help: "Print one JSON object for each stream." })
    },
    argument: noArgument,
    run: (words) =>
      Effect.gen(function* () {
        const none = { port: Option.none(), host: Option.none(), data: Option.none() }
        const { node } = yield* nodeSettings({ ...none, config: words.config, set: words.set }, { id: undefined, data: "./data" })
        const copied = yield* copy({ from: words.from, to: words.to, config: node.config })
        for (const each of copied) {
          if (words.json) printJson(each)
          else print(`${each.stream}: ${each.end - each.start} entries, ${each.start} to ${each.end}`)
        }
      })
  })
