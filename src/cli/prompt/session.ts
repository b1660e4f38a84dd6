import { Effect } from "effect"
import { didYouMean } from "../../../domain/kernel/nearest.ts"
import { printable } from "../../../domain/kernel/printable.ts"
import { CliFailure } from "../shell/failure.ts"
import { dim, print } from "../shell/screen.ts"
import { openInput } from "./input.ts"

/** A command of a session. */
export interface Verb<R> {
  /** Its name, then the short forms. */
  readonly names: readonly [string, ...Array<string>]
  readonly usage: string
  readonly help: string
  /** The candidates for the word that is being typed, by the words before it. */
  readonly complete?: (before: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string>>
  /** `rest` is the line after the verb, as it was typed. A failure is printed, and the session continues. */
  readonly run: (words: ReadonlyArray<string>, rest: string) => Effect.Effect<void, CliFailure, R>
}

const usageLines = (verbs: ReadonlyArray<Verb<any>>): ReadonlyArray<string> => {
  const width = Math.max(...verbs.map(({ usage }) => usage.length), "help".length)
  return [
    ...verbs.map(({ help, usage }) => `  ${usage.padEnd(width)}  ${dim(help)}`),
    `  ${"help".padEnd(width)}  ${dim("Prints this list.")}`,
    `  ${"exit".padEnd(width)}  ${dim("Ends the session (also Ctrl-D).")}`
  ]
}

const find = <R>(verbs: ReadonlyArray<Verb<R>>, word: string): Verb<R> | undefined =>
  verbs.find(({ names }) => names.some((name) => name.toLowerCase() === word.toLowerCase().replaceAll("-", "")))

/** The completions of a line: the verbs for its first word, the candidates of the verb for the others. */
const completions = <R>(verbs: ReadonlyArray<Verb<R>>, line: string): Effect.Effect<readonly [ReadonlyArray<string>, string]> => {
  const words = line.split(/\s+/)
  const last = words.at(-1) ?? ""
  const fitting = (candidates: ReadonlyArray<string>) =>
    // readline prints candidates unescaped: one that the terminal would obey is left out.
    candidates
      .filter((candidate) => printable(candidate) === candidate && candidate.toLowerCase().startsWith(last.toLowerCase()))
      .map((candidate) => `${candidate} `)
  if (words.length <= 1) return Effect.succeed([fitting([...verbs.map(({ names }) => names[0]), "help", "exit"]), last])
  const complete = find(verbs, words[0] ?? "")?.complete
  return complete ? Effect.map(complete(words.slice(1, -1)), (candidates) => [fitting(candidates), last] as const) : Effect.succeed([[], last])
}

const runLine = <R>(verbs: ReadonlyArray<Verb<R>>, line: string): Effect.Effect<void, never, R> => {
  const [word = "", ...words] = line.trim().split(/\s+/)
  if (word === "") return Effect.void
  if (/^(help|\?)$/i.test(word)) return Effect.sync(() => usageLines(verbs).forEach((text) => print(text)))
  const verb = find(verbs, word)
  if (!verb) {
    const meant = didYouMean(
      word,
      verbs.flatMap(({ names }) => [...names])
    )
    return Effect.sync(() => print(`there is no command '${word}' here.${meant} help lists the commands.`))
  }
  const rest = line.trim().slice(word.length).replace(/^\s/, "")
  return Effect.catchAll(verb.run(words, rest), (failure) =>
    Effect.sync(() => {
      for (const sentence of [failure.message, ...(failure.hint === undefined ? [] : [failure.hint])]) print(sentence)
    })
  )
}

/** A usage error, with the usage of the verb. */
export const usageFailure = (usage: string): Effect.Effect<never, CliFailure> => Effect.fail(new CliFailure({ exit: "usage", message: `usage: ${usage}` }))

/**
 * Reads lines and runs them, one at a time, until `exit` or the end of the input. Fails when the input cannot be read.
 */
export const runSession = <R>(of: {
  readonly name: string
  readonly greeting: ReadonlyArray<string>
  readonly verbs: ReadonlyArray<Verb<R>>
}): Effect.Effect<void, CliFailure, R> =>
  Effect.scoped(
    Effect.gen(function* () {
      for (const line of of.greeting) print(line)
      for (const line of usageLines(of.verbs)) print(line)
      const input = yield* openInput(of.name, (line) => completions(of.verbs, line))
      for (;;) {
        yield* input.prompt
        const next = yield* Effect.raceFirst(input.next, Effect.as(input.interrupted, "end" as const))
        if (next === "end") return process.stdin.isTTY ? print() : undefined
        if (/^\s*(exit|quit)\s*$/i.test(next.line)) return
        const interrupted = Effect.map(input.interrupted, () => print("^C"))
        yield* Effect.raceFirst(runLine(of.verbs, next.line), interrupted)
      }
    })
  )
