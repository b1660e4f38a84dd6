import { type CliApp, CliConfig, CommandDescriptor, HelpDoc, Options } from "@effect/cli"
import { Effect, type Types } from "effect"
import { didYouMean } from "../../../domain/kernel/nearest.ts"
import { CliFailure } from "./failure.ts"
import { bold } from "./screen.ts"
import type { ArgSpec, OptionSpec } from "./spec.ts"

type Specs = Readonly<Record<string, OptionSpec<any>>>
type Values<S extends Specs> = { readonly [K in keyof S]: S[K] extends OptionSpec<infer A> ? A : never }

/** One command of the program, ready to be parsed, run and explained. */
export interface CliCommand<R> {
  /** The words that name it, e.g. ["topic", "create"]. */
  readonly path: ReadonlyArray<string>
  readonly summary: string
  readonly help: (program: string) => ReadonlyArray<string>
  /** Parses the words after the path and runs the command. */
  readonly run: (words: ReadonlyArray<string>, program: string) => Effect.Effect<void, CliFailure, R | CliApp.CliApp.Environment>
}

const usage = (program: string, path: ReadonlyArray<string>, specs: ReadonlyArray<OptionSpec<unknown>>, placeholder: string): string => {
  const shown = specs.length > 4 ? ["[OPTIONS]"] : specs.map((one) => `[--${one.name}${one.placeholder === "" ? "" : ` ${one.placeholder}`}]`)
  return [program, ...path, ...shown, placeholder].filter((word) => word !== "").join(" ")
}

const rows = (pairs: ReadonlyArray<readonly [string, string]>): ReadonlyArray<string> => {
  const width = Math.max(...pairs.map(([left]) => left.length))
  return pairs.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}

const optionLabel = ({ alias, name, placeholder }: OptionSpec<unknown>): string =>
  `${alias === undefined ? "" : `-${alias}, `}--${name}${placeholder === "" ? "" : ` ${placeholder}`}`

/** "a", "a and b", "a, b and c". */
const listed = (words: ReadonlyArray<string>): string => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`)

/** The parser writes its complaints in colours. */
const colours = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g")

/** The parser's complaint as a sentence, with the option that was probably meant. */
const complaint = (error: HelpDoc.HelpDoc, specs: ReadonlyArray<OptionSpec<unknown>>, words: ReadonlyArray<string>): string => {
  const plain = HelpDoc.toAnsiText(error).replace(colours, "").replace(/\s+/g, " ").trim()
  const missing = [...plain.matchAll(/Expected to find option: '(--[a-z-]+)'/g)].map(([, name]) => name ?? "")
  if (missing.length > 0) return `${listed(missing)} must be given.`
  const argument = plain.match(/Missing argument <([^>]+)>/)?.[1]
  if (argument !== undefined) return `${argument} is missing.`
  const unknown = plain.match(/unknown argument: '([^']*)'/)?.[1]
  if (unknown === undefined) return plain
  const known = ["--help", ...specs.map(({ name }) => `--${name}`)]
  const meant = specs.find(({ alias, name }) => unknown === `--${name}` || unknown === `-${alias}`)
  if (meant)
    return words.filter((word) => word === unknown).length > 1 ? `${unknown} is given twice.` : `${unknown} needs a value: ${unknown} ${meant.placeholder}.`
  return unknown.startsWith("-") ? `there is no option ${unknown} here.${didYouMean(unknown, known)}` : `'${unknown}' is one word too many.`
}

/** `--name=value` is a way to write `--name value`: the parser knows the second. */
const spread = (words: ReadonlyArray<string>): ReadonlyArray<string> =>
  words.flatMap((word) => {
    const [, name, value] = word.match(/^(--[a-z][a-z-]*)=(.*)$/s) ?? []
    return name === undefined || value === undefined ? [word] : [name, value]
  })

/** The parser passes over a repeatable option at the end that lacks its value. */
const lacksValue = (words: ReadonlyArray<string>, specs: ReadonlyArray<OptionSpec<unknown>>): string | undefined => {
  const last = words.at(-1)
  return specs.some(({ alias, name, placeholder }) => placeholder !== "" && (last === `--${name}` || last === `-${alias}`)) ? last : undefined
}

/** An option that the command does not have. Where several names may stand, the parser would take it for one of them: `topic create` made a topic "--bootstrap". */
const unknownOption = (words: ReadonlyArray<string>, specs: ReadonlyArray<OptionSpec<unknown>>): string | undefined => {
  for (let at = 0; at < words.length && words[at] !== "--"; at++) {
    const word = words[at] as string
    const known = specs.find(({ alias, name }) => word === `--${name}` || word === `-${alias}`)
    if (known === undefined && /^--?[a-z]/i.test(word)) return word
    if (known !== undefined && known.placeholder !== "") at++
  }
  return undefined
}

export const command = <const S extends Specs, A, R>(of: {
  readonly path: string
  readonly summary: string
  /** More than the summary: sentences, a line each. */
  readonly about?: ReadonlyArray<string>
  readonly example: ReadonlyArray<string>
  readonly options: S
  readonly argument: ArgSpec<A>
  readonly run: (options: Types.Simplify<Values<S>>, argument: A) => Effect.Effect<void, CliFailure, R>
}): CliCommand<R> => {
  const path = of.path.split(" ").filter((word) => word !== "")
  const specs: ReadonlyArray<OptionSpec<unknown>> = Object.values(of.options)
  const named = Object.fromEntries(Object.entries(of.options).map(([key, one]) => [key, one.options]))
  const all: Options.Options<Record<string, unknown>> = specs.length === 0 ? Options.map(Options.none, () => ({})) : Options.all(named)
  const descriptor = CommandDescriptor.make("command", all, of.argument.args)
  const help = (program: string) => [
    `${bold([program, ...path].join(" "))}: ${of.summary}`,
    ...(of.about ?? []),
    "",
    bold("Usage"),
    `  ${usage(program, path, specs, of.argument.placeholder)}`,
    ...(of.argument.help === "" ? [] : ["", ...rows([[of.argument.placeholder, of.argument.help]])]),
    "",
    bold("Options"),
    ...rows([...specs.map((one) => [optionLabel(one), one.help] as const), ["-h, --help", "This page."]]),
    "",
    bold("Example"),
    ...of.example.map((line) => `  ${line}`)
  ]
  const wrong = (error: HelpDoc.HelpDoc, program: string, words: ReadonlyArray<string>) =>
    new CliFailure({
      exit: "usage",
      message: complaint(error, specs, words),
      hint: `Usage: ${usage(program, path, specs, of.argument.placeholder)}  (${[program, ...path].join(" ")} --help)`
    })
  const parse = (words: ReadonlyArray<string>, program: string) => {
    const spreadWords = spread(words)
    const incomplete = lacksValue(words, specs) ?? unknownOption(spreadWords, specs)
    if (incomplete !== undefined) return Effect.fail(wrong(HelpDoc.p(`unknown argument: '${incomplete}'`), program, [incomplete]))
    return Effect.mapError(CommandDescriptor.parse(descriptor, ["command", ...spreadWords], CliConfig.defaultConfig), ({ error }) =>
      wrong(error, program, words)
    )
  }
  return {
    path,
    summary: of.summary,
    help,
    run: (words, program) =>
      parse(words, program).pipe(
        Effect.flatMap((directive) => {
          if (directive._tag === "BuiltIn") return Effect.fail(wrong(HelpDoc.p("That option is not for this command."), program, words))
          const [leftover] = directive.leftover
          if (leftover !== undefined) return Effect.fail(wrong(HelpDoc.p(`unknown argument: '${leftover}'`), program, words))
          // The parser's type has lost the keys of the record; they are the keys of `of.options`, from which it was built.
          return of.run(directive.value.options as Types.Simplify<Values<S>>, directive.value.args)
        })
      )
  }
}
