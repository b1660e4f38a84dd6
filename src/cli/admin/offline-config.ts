import { Effect, Either, type Scope } from "effect"
import { runningValue } from "../../../domain/kernel/config.ts"
import { didYouMean } from "../../../domain/kernel/nearest.ts"
import type { NodeOrAll } from "../../client/admin/node-configs.ts"
import { CliFailure } from "../shell/failure.ts"
import { dim, print, printError, printJson } from "../shell/screen.ts"
import { type ConfigWords, settings } from "./config-changes.ts"

/** The run-time settings in the journal of a stopped leader. */
export interface OfflineConfigs {
  /** The settings of all nodes and of each node, without nodes that have none. */
  readonly all: () => ReadonlyArray<{ readonly node: NodeOrAll; readonly configs: Readonly<Record<string, string>> }>
  /**
   * Changes settings of a node, or of all nodes, in the journal. They are durable when it returns. The values that it
   * accepts are those of a running cluster.
   */
  readonly change: (
    node: NodeOrAll,
    changes: { readonly set: Readonly<Record<string, string>>; readonly unset: ReadonlyArray<string> }
  ) => Effect.Effect<void, CliFailure>
}

/**
 * Opens the data directory of `franz up` or of a leader, and holds its lock until the scope closes. The programs supply
 * it, since only they import adapters.
 */
export type OpenOfflineConfigs = (directory: string) => Effect.Effect<OfflineConfigs, CliFailure, Scope.Scope>

const nameOf = (node: NodeOrAll): string => (node === "all" ? "all nodes" : `node ${node}`)

/** Why the nodes would ignore the setting; undefined for one that applies. */
const unheeded = (name: string, value: string): string | undefined =>
  Either.match(runningValue(name, value), { onLeft: ({ message }) => message, onRight: () => undefined })

const show = (all: ReturnType<OfflineConfigs["all"]>, json: boolean): void => {
  if (!json && all.length === 0) printError("No settings were changed at run time.")
  for (const { configs, node } of all) {
    const entries = Object.entries(configs).map(([name, value]) => ({ name, value, unheeded: unheeded(name, value) ?? null }))
    if (json) printJson({ node, configs: entries })
    else for (const each of entries) print(`${nameOf(node)}: ${each.name}=${each.value}${each.unheeded === null ? "" : dim("  (ignored)")}`)
  }
}

/** Prints the run-time settings of `node`, or of all nodes and each node where it is undefined, or changes them. */
export const configureOffline = (
  open: OpenOfflineConfigs,
  directory: string,
  node: NodeOrAll | undefined,
  words: ConfigWords
): Effect.Effect<void, CliFailure> =>
  Effect.gen(function* () {
    const set = yield* settings(words.set)
    const configs = yield* open(directory)
    const { unset } = words
    if (Object.keys(set).length + unset.length === 0) {
      const all = configs.all()
      return show(node === undefined ? all : all.filter((each) => each.node === node), words.json)
    }
    const of = node ?? "all"
    const names = Object.keys(configs.all().find((each) => each.node === of)?.configs ?? {})
    const unknown = unset.find((name) => !names.includes(name))
    if (unknown !== undefined)
      return yield* new CliFailure({ exit: "usage", message: `--unset ${unknown}: it is not set for ${nameOf(of)}.${didYouMean(unknown, names)}` })
    yield* configs.change(of, { set, unset })
    if (words.json) return printJson({ node: of, set, unset })
    for (const [name, value] of Object.entries(set)) print(`${nameOf(of)}: ${name}=${value}`)
    for (const name of unset) print(`${nameOf(of)}: ${name} is unset`)
  }).pipe(Effect.scoped)
