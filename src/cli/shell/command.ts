import { Effect, Either, type Types } from "effect"
import { CliFailure } from "./failure.ts"
import { parseWords, type Specs, usageSentence, type Values } from "./parse.ts"
import { bold } from "./screen.ts"
import type { ArgSpec, OptionSpec } from "./spec.ts"

/** One command of the program: its help, and what parses its words and runs it. */
export interface CliCommand<R> {
  /** The words that name it, e.g. ["topic", "create"]. */
  readonly path: ReadonlyArray<string>
  readonly summary: string
  /** Its options, for completion by a shell. */
  readonly options: ReadonlyArray<OptionSpec<unknown>>
  readonly help: (program: string) => ReadonlyArray<string>
  /** Parses the words after the path and runs the command. */
  readonly run: (words: ReadonlyArray<string>, program: string) => Effect.Effect<void, CliFailure, R>
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

/** Makes a command from its table of options, its argument and what it runs. */
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
  const { help: argumentHelp, placeholder } = of.argument
  const help = (program: string) => [
    `${bold([program, ...path].join(" "))}: ${of.summary}`,
    ...(of.about ?? []),
    "",
    bold("Usage"),
    `  ${usage(program, path, specs, placeholder)}`,
    ...(argumentHelp === "" ? [] : ["", ...rows([[placeholder, argumentHelp]])]),
    "",
    bold("Options"),
    ...rows([...specs.map((one) => [optionLabel(one), one.help] as const), ["-h, --help", "Print this help."]]),
    "",
    bold("Example"),
    ...of.example.map((line) => `  ${line}`)
  ]
  const run: CliCommand<R>["run"] = (words, program) =>
    Either.match(parseWords(of.options, of.argument, words), {
      onLeft: (error) =>
        Effect.fail(
          new CliFailure({
            exit: "usage",
            message: usageSentence(error),
            hint: `Usage: ${usage(program, path, specs, placeholder)}  (${[program, ...path].join(" ")} --help)`
          })
        ),
      onRight: ({ argument, options }) => of.run(options as Types.Simplify<Values<S>>, argument)
    })
  return { path, summary: of.summary, options: specs, help, run }
}
