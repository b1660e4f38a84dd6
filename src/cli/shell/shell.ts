import { Cause, Effect, Exit, Option } from "effect"
import { didYouMean } from "../../../domain/kernel/nearest.ts"
import type { CliCommand } from "./command.ts"
import { CliFailure, type ExitName, exitCodes } from "./failure.ts"
import { asksForJson, bold, print, printError, printErrorJson } from "./screen.ts"

/** A program: its commands, or its single command, which has an empty path. */
export interface Program<R> {
  readonly name: string
  readonly version: string
  readonly summary: string
  readonly commands: ReadonlyArray<CliCommand<R>>
  /** Lines for the end of the main help. */
  readonly notes?: ReadonlyArray<string>
}

const isHelp = (word: string | undefined): boolean => word === "--help" || word === "-h" || word === "help"

const mainHelp = <R>({ commands, name, notes = [], summary, version }: Program<R>): ReadonlyArray<string> => {
  const width = Math.max(...commands.map(({ path }) => path.join(" ").length))
  return [
    `${bold(name)} ${version}: ${summary}`,
    "",
    bold("Commands"),
    ...commands.map(({ path, summary: what }) => `  ${path.join(" ").padEnd(width)}  ${what}`),
    "",
    `\`${name} COMMAND --help\` describes a command, with an example.`,
    ...notes,
    "",
    bold("Exit codes"),
    "  0 success · 1 refused by the cluster · 2 usage error · 65 damaged or foreign data · 69 cluster unreachable · 70 a bug",
    "  73 port or directory in use · 74 disk error · 78 invalid settings · 130 interrupted"
  ]
}

/** The commands under one word: `franz topic`. */
const groupHelp = (name: string, word: string, commands: ReadonlyArray<CliCommand<unknown>>): ReadonlyArray<string> => {
  const width = Math.max(...commands.map(({ path }) => path.join(" ").length))
  return [
    ...commands.map(({ path, summary }) => `${bold(`${name} ${path.join(" ").padEnd(width)}`)}  ${summary}`),
    "",
    `\`${name} ${word} COMMAND --help\` describes a command, with an example.`
  ]
}

type Invocation<R> =
  | { readonly _tag: "command"; readonly command: CliCommand<R>; readonly rest: ReadonlyArray<string> }
  | { readonly _tag: "help"; readonly lines: ReadonlyArray<string> }

const find = <R>(program: Program<R>, words: ReadonlyArray<string>): Effect.Effect<Invocation<R>, CliFailure> => {
  const only = program.commands.length === 1 && program.commands[0]?.path.length === 0 ? program.commands[0] : undefined
  if (only) return Effect.succeed({ _tag: "command", command: only, rest: words })
  const [first, second] = words
  if (first === undefined || (isHelp(first) && second === undefined)) return Effect.succeed({ _tag: "help", lines: mainHelp(program) })
  // `franz help topic create` is `franz topic create --help`.
  if (isHelp(first)) return find(program, [...words.slice(1).filter((word) => !isHelp(word)), "--help"])
  const fitting = program.commands.filter(({ path }) => path[0] === first)
  if (fitting.length === 0) {
    return Effect.fail(
      new CliFailure({
        exit: "usage",
        message: `there is no command '${first}'.${didYouMean(first, new Set(["--help", "--version", ...program.commands.map(({ path }) => path[0] ?? "")]))}`,
        hint: `${program.name} --help lists the commands.`
      })
    )
  }
  const leaf = second === undefined ? undefined : fitting.find(({ path }) => path[1] === second)
  if (leaf) return Effect.succeed({ _tag: "command", command: leaf, rest: words.slice(2) })
  // `franz broker` is a command, and `franz broker config` another.
  const single = fitting.find(({ path }) => path.length === 1)
  if (single) return Effect.succeed({ _tag: "command", command: single, rest: words.slice(1) })
  if (second === undefined || isHelp(second)) {
    return Effect.succeed({ _tag: "help", lines: groupHelp(program.name, first, fitting) })
  }
  const known = fitting.map(({ path }) => path[1] ?? "")
  return Effect.fail(
    new CliFailure({
      exit: "usage",
      message: `there is no command '${first} ${second}'.${didYouMean(second, known)}`,
      hint: `Commands of ${program.name} ${first}: ${known.join(", ")}.`
    })
  )
}

/** Whether the words ask for JSON. Also those of a usage error do. */
const hasJson = (words: ReadonlyArray<string>): boolean => {
  const end = words.indexOf("--")
  const options = end < 0 ? words : words.slice(0, end)
  return options.some((word, at) => (word === "--json" ? options[at + 1] !== "false" : word === "--json=true"))
}

/** Why a command failed, as a line of JSON. `error` is a name of the exit codes. */
const reportJson = (error: ExitName, message: string, hint?: string): void =>
  printErrorJson({ error, exitCode: exitCodes[error], message, ...(hint === undefined ? {} : { hint }) })

/** Prints why a command failed. Returns the exit code. */
const report = (name: string, cause: Cause.Cause<CliFailure>, asJson: boolean): number => {
  const failure = Cause.failureOption(cause)
  if (Option.isSome(failure)) {
    const { exit, hint, message } = failure.value
    if (asJson) reportJson(exit, message, hint)
    else {
      // Text of messages and nodes has no line breaks (`clientFailure`): the lines are those of this program.
      for (const line of `${name}: ${message}`.split("\n")) printError(line)
      for (const line of hint?.split("\n") ?? []) printError(line)
    }
    return exitCodes[exit]
  }
  if (Cause.isInterruptedOnly(cause)) return exitCodes.interrupted
  const bug = `a bug in ${name} itself stopped the command. Please report this text:`
  if (asJson) reportJson("internal", `${bug} ${Cause.pretty(cause)}`)
  else for (const line of [`${name}: ${bug}`, ...Cause.pretty(cause).split("\n")]) printError(line)
  return exitCodes.internal
}

/** Runs the command that the words name. Returns the exit code; never fails. */
export const runProgram = <R>(program: Program<R>, words: ReadonlyArray<string>): Effect.Effect<number, never, R> => {
  const isJson = hasJson(words)
  return find(program, words).pipe(
    Effect.flatMap((found): Effect.Effect<void, CliFailure, R> => {
      if (found._tag === "help") return Effect.sync(() => found.lines.forEach((line) => print(line)))
      if (found.rest.some((word) => word === "--help" || word === "-h")) {
        return Effect.sync(() => found.command.help(program.name).forEach((line) => print(line)))
      }
      if (found.rest.length === 1 && found.rest[0] === "--version" && found.command.path.length === 0) return Effect.sync(() => print(program.version))
      return found.command.run(found.rest, program.name)
    }),
    words.length === 1 && words[0] === "--version" ? () => Effect.sync(() => print(`${program.name} ${program.version}`)) : (self) => self,
    Effect.exit,
    Effect.map((exit) => (Exit.isSuccess(exit) ? exitCodes.ok : report(program.name, exit.cause, isJson))),
    Effect.locally(asksForJson, isJson)
  )
}
