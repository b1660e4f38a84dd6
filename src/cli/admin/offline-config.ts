import { Effect, Either, type Scope } from "effect"
import { runningValue } from "../../../domain/kernel/config.ts"
import { didYouMean } from "../../../domain/kernel/nearest.ts"
import type { NodeOrAll } from "../../client/admin/node-configs.ts"
import { CliFailure } from "../shell/failure.ts"
import { dim, print, printError, printJson } from "../shell/screen.ts"
import { type ConfigWords, settings } from "./config-changes.ts"

/** What was set at run time, in the leader's journal of a node that does not run. */
export interface OfflineConfigs {
  /** What was set for all nodes and for each node, those with nothing left out. */
  readonly all: () => ReadonlyArray<{ readonly node: NodeOrAll; readonly configs: Readonly<Record<string, string>> }>
  /** Changes the settings of a node, or of all, in the journal; durable when it returns. Bounds are those of a running cluster. */
  readonly change: (
    node: NodeOrAll,
    changes: { readonly set: Readonly<Record<string, string>>; readonly unset: ReadonlyArray<string> }
  ) => Effect.Effect<void, CliFailure>
}

/** Opens the data directory of `franz up` or of a leader, and holds its lock until the scope closes. The programs supply it: only they know the adapters. */
export type OpenOfflineConfigs = (directory: string) => Effect.Effect<OfflineConfigs, CliFailure, Scope.Scope>

const nameOf = (node: NodeOrAll): string => (node === "all" ? "all nodes" : `node ${node}`)

/** Why the nodes would not heed it; undefined for what holds. */
const unheeded = (name: string, value: string): string | undefined =>
  Either.match(runningValue(name, value), { onLeft: ({ message }) => message, onRight: () => undefined })

const show = (all: ReturnType<OfflineConfigs["all"]>, json: boolean): void => {
  if (!json && all.length === 0) printError("Nothing was set at run time.")
  for (const { configs, node } of all) {
    const entries = Object.entries(configs).map(([name, value]) => ({ name, value, unheeded: unheeded(name, value) ?? null }))
    if (json) printJson({ node, configs: entries })
    else for (const each of entries) print(`${nameOf(node)}: ${each.name}=${each.value}${each.unheeded === null ? "" : dim("  (not heeded)")}`)
  }
}

/** Shows what was set at run time for `node`, or for all nodes and each of them where none is named, or changes it. */
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
    const strange = unset.find((name) => !names.includes(name))
    if (strange !== undefined)
      return yield* new CliFailure({ exit: "usage", message: `--unset ${strange}: it is not set for ${nameOf(of)}.${didYouMean(strange, names)}` })
    yield* configs.change(of, { set, unset })
    if (words.json) return printJson({ node: of, set, unset })
    for (const [name, value] of Object.entries(set)) print(`${nameOf(of)}: ${name}=${value}`)
    for (const name of unset) print(`${nameOf(of)}: ${name} is unset`)
  }).pipe(Effect.scoped)
