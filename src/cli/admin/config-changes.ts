import { Effect } from "effect"
import { didYouMean } from "../../../domain/kernel/nearest.ts"
import type { ConfigEntry } from "../../client/admin/cluster.ts"
import { CliFailure } from "../shell/failure.ts"
import { dim, print, printError, printJson } from "../shell/screen.ts"
import { repeatedText } from "../shell/spec.ts"

/** The options of `topic config` and `broker config`. */
export const configOptions = {
  set: repeatedText({ name: "set", alias: "s", placeholder: "NAME=VALUE", help: "Set a value; may be repeated." }),
  unset: repeatedText({ name: "unset", placeholder: "NAME", help: "Remove a value that was set; may be repeated." })
}
export interface ConfigWords {
  readonly set: ReadonlyArray<string>
  readonly unset: ReadonlyArray<string>
  readonly json: boolean
}

const usage = (message: string): CliFailure => new CliFailure({ exit: "usage", message })

/** `--set NAME=VALUE`, each once. */
export const settings = (texts: ReadonlyArray<string>): Effect.Effect<Record<string, string>, CliFailure> => {
  const set: Record<string, string> = {}
  for (const text of texts) {
    const at = text.indexOf("=")
    if (at <= 0) return Effect.fail(usage(`--set ${text}: expected NAME=VALUE, e.g. --set retention.ms=86400000.`))
    set[text.slice(0, at)] = text.slice(at + 1)
  }
  return Effect.succeed(set)
}

/** The cluster accepts an unknown name to unset. On the command line it is a typing error. */
const checkNames = (unset: ReadonlyArray<string>, known: ReadonlyArray<ConfigEntry>, whose: string): Effect.Effect<void, CliFailure> => {
  const names = known.map(({ name }) => name)
  const unknown = unset.find((name) => !names.includes(name))
  return unknown === undefined ? Effect.void : Effect.fail(usage(`--unset ${unknown}: ${whose} no such setting.${didYouMean(unknown, names)}`))
}

const from: Record<ConfigEntry["source"], string> = { topic: "topic", node: "this node", cluster: "all nodes", file: "file", default: "default" }
const show = (configs: ReadonlyArray<ConfigEntry>): void => {
  for (const { isOwn, name, source, value } of configs) print(`${name}=${value ?? ""}${isOwn ? "" : dim(`  (${from[source]})`)}`)
}

interface Configured<E, R> {
  /** The topic or the node in lines of text. */
  readonly name: string
  readonly json: Readonly<Record<string, unknown>>
  /** "a topic has": for the error of an unknown name. */
  readonly whose: string
  /** What applies after a setting is unset. */
  readonly otherwise: string
  readonly read: Effect.Effect<ReadonlyArray<ConfigEntry>, E, R>
  readonly change: (changes: { readonly set: Readonly<Record<string, string>>; readonly unset: ReadonlyArray<string> }) => Effect.Effect<void, E, R>
}

/** Prints the settings, or changes them and prints the changes. */
export const configure = <E, R>(words: ConfigWords, { change, json, name, otherwise, read, whose }: Configured<E, R>): Effect.Effect<void, E | CliFailure, R> =>
  Effect.gen(function* () {
    const set = yield* settings(words.set)
    const before = yield* read
    const changes = Object.keys(set).length + words.unset.length
    yield* checkNames(words.unset, before, whose)
    if (changes > 0) yield* change({ set, unset: words.unset })
    if (words.json) return printJson({ ...json, ...(changes === 0 ? { configs: before } : { set, unset: words.unset }) })
    if (changes === 0 && before.length === 0) return printError(`${name}: no settings were changed at run time.`)
    if (changes === 0) return show(before)
    for (const [setting, value] of Object.entries(set)) print(`${name}: ${setting}=${value}`)
    for (const setting of words.unset) print(`${name}: ${setting} has ${otherwise}`)
  })
