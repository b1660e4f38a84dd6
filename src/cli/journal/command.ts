import { Effect, Option } from "effect"
import type { NodeConfig } from "../../../domain/kernel/config.ts"
import { nodeOptions, nodeSettings } from "../node/settings.ts"
import { type CliCommand, command } from "../shell/command.ts"
import type { CliFailure } from "../shell/failure.ts"
import { loggerLayer } from "../shell/logger.ts"
import { print, printJson } from "../shell/screen.ts"
import { flag, noArgument, requiredText } from "../shell/spec.ts"

/** A stream that was copied: the entries from `start` to before `end`. */
export interface CopiedStream {
  readonly stream: string
  readonly start: number
  readonly end: number
  /** The SHA-256 of its batches and of its snapshot: the same for every copy. */
  readonly sha256: string
}

export interface TransferRequest {
  readonly kind: "copy" | "move" | "export" | "import"
  /** A data directory, or an engine as franz.journal names it; for an import the file of an export. */
  readonly from: string
  /** The same; for an export the file. */
  readonly to: string
  /** The user, the password and the certificates of the engine. */
  readonly config: NodeConfig
}
/** Copies journals. The programs supply it, since only they import adapters. */
export type JournalTransfer = (request: TransferRequest) => Effect.Effect<ReadonlyArray<CopiedStream>, CliFailure>

interface Words {
  readonly kind: TransferRequest["kind"]
  readonly summary: string
  readonly about: ReadonlyArray<string>
  readonly example: ReadonlyArray<string>
  readonly from: { readonly placeholder: string; readonly help: string }
  readonly to: { readonly placeholder: string; readonly help: string }
}

const place = "DIR|etcd://…"
const source = { placeholder: place, help: "The leader's data directory, or the engine of franz.journal." }
const destination = { placeholder: place, help: "The same, without a journal." }

const words: ReadonlyArray<Words> = [
  {
    kind: "copy",
    summary: "copy the leader's journal from a directory to etcd, or back",
    about: [
      "Copies the streams of the cluster and of its groups with the same indexes and epochs, and compares them at the end.",
      "No node holds a directory meanwhile. From etcd a running cluster can be copied: the copy is what it had at one moment of each stream.",
      "Never start nodes on both copies: they would be two clusters with one id. `franz journal move` prevents it."
    ],
    example: [
      "franz journal copy --from /var/lib/franz --to etcd://h1:2379,h2:2379,h3:2379/franz",
      "franz journal copy --from etcd://h1:2379/franz --to /backup/journal"
    ],
    from: source,
    to: destination
  },
  {
    kind: "move",
    summary: "move the leader's journal from a directory to etcd, or back",
    about: [
      "Copies the journal as `franz journal copy` does, compares it, and then lets no node lead with the old one.",
      "The old files stay below DIR/moved-journal; in etcd a note stays in place of the leader. Stop the leader or all candidates first.",
      "A move that was interrupted is run again: it begins where nothing was changed, or finishes what is there."
    ],
    example: [
      "franz journal move --from /var/lib/franz/leader --to etcd://h1:2379,h2:2379,h3:2379/franz",
      "franz journal move --from etcd://h1:2379/franz --to /var/lib/franz/leader"
    ],
    from: source,
    to: destination
  },
  {
    kind: "export",
    summary: "write the leader's journal to one file, as a backup",
    about: [
      "The file has every stream with its indexes, epochs and snapshot, a checksum for each piece and a digest for each stream.",
      "From etcd a running cluster can be exported. The file gets its name when it is whole."
    ],
    example: ["franz journal export --from etcd://h1:2379,h2:2379,h3:2379/franz --to /backup/journal-2026-01-31"],
    from: source,
    to: { placeholder: "FILE", help: "A file that does not exist." }
  },
  {
    kind: "import",
    summary: "restore the leader's journal from a file of `franz journal export`",
    about: [
      "Reads the whole file and checks it before it changes anything. What was decided after the export is gone:",
      "stop all nodes first, and start them when the import is done."
    ],
    example: ["franz journal import --from /backup/journal-2026-01-31 --to etcd://h1:2379,h2:2379,h3:2379/franz"],
    from: { placeholder: "FILE", help: "The file of an export." },
    to: { placeholder: place, help: "The leader's data directory, or the engine of franz.journal: without a journal." }
  }
]

const transferCommand = (transfer: JournalTransfer, { about, example, from, kind, summary, to }: Words): CliCommand<never> =>
  command({
    path: `journal ${kind}`,
    summary,
    about,
    example,
    options: {
      from: requiredText({ name: "from", ...from }),
      to: requiredText({ name: "to", ...to }),
      config: nodeOptions.config,
      set: nodeOptions.set,
      json: flag({ name: "json", help: "Print one JSON object for each stream." })
    },
    argument: noArgument,
    run: (given) =>
      Effect.gen(function* () {
        const none = { port: Option.none(), host: Option.none(), data: Option.none() }
        const { node } = yield* nodeSettings({ ...none, config: given.config, set: given.set }, { id: undefined, data: "./data" })
        // What a log store or an engine says goes to stderr.
        const copied = yield* Effect.provide(transfer({ kind, from: given.from, to: given.to, config: node.config }), loggerLayer("text"))
        for (const each of copied) {
          if (given.json) printJson(each)
          else print(`${each.stream}: ${each.end - each.start} entries, ${each.start} to ${each.end}`)
        }
      })
  })

export const journalCommands = (transfer: JournalTransfer): ReadonlyArray<CliCommand<never>> => words.map((each) => transferCommand(transfer, each))
