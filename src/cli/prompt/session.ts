import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, join } from "node:path"
import { createInterface, type Interface } from "node:readline"
import { Effect, Exit, Queue, type Scope } from "effect"
import { didYouMean } from "../../../domain/kernel/nearest.ts"
import { printable } from "../../../domain/kernel/printable.ts"
import { CliFailure } from "../shell/failure.ts"
import { bold, dim, print, rendered } from "../shell/screen.ts"

/** One thing a person may say at the prompt. */
export interface Verb<R> {
  /** Its name first, then the short forms. */
  readonly names: readonly [string, ...Array<string>]
  readonly usage: string
  readonly help: string
  /** What could stand at the word that is being typed, given the words before it. */
  readonly complete?: (before: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string>>
  /** `rest` is the line behind the verb, as it was typed. A failure is shown and the session goes on. */
  readonly run: (words: ReadonlyArray<string>, rest: string) => Effect.Effect<void, CliFailure, R>
}

const historyLinesMax = 500
const historyFile = (name: string): string => join(process.env.XDG_STATE_HOME ?? join(homedir(), ".local", "state"), "comanche-franz", `${name}-history`)

/** A history that cannot be read or written is no reason to stop. */
const readHistory = (name: string): Array<string> => {
  try {
    return readFileSync(historyFile(name), "utf8").split("\n").filter(Boolean).reverse().slice(0, historyLinesMax)
  } catch {
    return []
  }
}
const writeHistory = (name: string, newestFirst: ReadonlyArray<string>): void => {
  try {
    mkdirSync(dirname(historyFile(name)), { recursive: true, mode: 0o700 })
    writeFileSync(historyFile(name), `${newestFirst.slice(0, historyLinesMax).reverse().join("\n")}\n`, { mode: 0o600 })
  } catch {
    return
  }
}

export const usageLines = (verbs: ReadonlyArray<Verb<any>>): ReadonlyArray<string> => {
  const width = Math.max(...verbs.map(({ usage }) => usage.length), "help".length)
  return [
    ...verbs.map(({ help, usage }) => `  ${usage.padEnd(width)}  ${dim(help)}`),
    `  ${"help".padEnd(width)}  ${dim("These lines.")}`,
    `  ${"exit".padEnd(width)}  ${dim("Leaves, in good order (Ctrl-D too).")}`
  ]
}

const find = <R>(verbs: ReadonlyArray<Verb<R>>, word: string): Verb<R> | undefined =>
  verbs.find(({ names }) => names.some((name) => name.toLowerCase() === word.toLowerCase().replaceAll("-", "")))

/** The completions of a line: the verbs for its first word, what the verb offers for the others. */
const completions = <R>(verbs: ReadonlyArray<Verb<R>>, line: string): Effect.Effect<readonly [ReadonlyArray<string>, string]> => {
  const words = line.split(/\s+/)
  const last = words.at(-1) ?? ""
  const fitting = (candidates: ReadonlyArray<string>) =>
    // readline prints candidates itself: one that the terminal would obey is not offered.
    candidates
      .filter((candidate) => printable(candidate) === candidate && candidate.toLowerCase().startsWith(last.toLowerCase()))
      .map((candidate) => `${candidate} `)
  if (words.length <= 1) return Effect.succeed([fitting([...verbs.map(({ names }) => names[0]), "help", "exit"]), last])
  const complete = find(verbs, words[0] ?? "")?.complete
  return complete ? Effect.map(complete(words.slice(1, -1)), (candidates) => [fitting(candidates), last] as const) : Effect.succeed([[], last])
}

type Said = { readonly line: string } | "end"

/** The line that a person types into. */
interface Prompt {
  /** Shows that it is the person's turn. */
  readonly ask: Effect.Effect<void>
  /** The next line, or the end of the input. */
  readonly said: Effect.Effect<Said>
  /** Returns when Ctrl-C is pressed on an empty line. */
  readonly broken: Effect.Effect<void>
}

const openPrompt = <R>(name: string, verbs: ReadonlyArray<Verb<R>>): Effect.Effect<Prompt, never, Scope.Scope> =>
  Effect.gen(function* () {
    // Lines that are typed, or piped in, while a command works. Of a pipe no more than a chunk is read ahead: the prompt pauses at each line.
    const lines = yield* Queue.unbounded<Said>()
    const breaks = yield* Queue.sliding<void>(1)
    const terminal = process.stdin.isTTY === true
    let open = true
    const prompt: Interface = createInterface({
      input: process.stdin,
      output: process.stdout,
      terminal,
      prompt: terminal ? rendered(`${bold(name)}> `) : "",
      history: terminal ? readHistory(name) : [],
      historySize: historyLinesMax,
      removeHistoryDuplicates: true,
      completer: (line: string, done: (fault: null, found: [Array<string>, string]) => void) =>
        Effect.runCallback(completions(verbs, line), { onExit: (exit) => done(null, Exit.isSuccess(exit) ? [[...exit.value[0]], exit.value[1]] : [[], line]) })
    })
    prompt.on("line", (line) => {
      if (!terminal && open) prompt.pause()
      lines.unsafeOffer({ line })
    })
    prompt.on("history", (newestFirst) => writeHistory(name, newestFirst))
    prompt.on("close", () => {
      open = false
      lines.unsafeOffer("end")
    })
    // Ctrl-C takes back what is being typed; on an empty line, or while a command works, it is the session's to answer.
    prompt.on("SIGINT", () => {
      if (prompt.line === "") breaks.unsafeOffer(undefined)
      else prompt.write(null, { ctrl: true, name: "u" })
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => prompt.close()))
    return {
      ask: Effect.sync(() => {
        if (open) prompt.prompt()
      }),
      said: Queue.take(lines),
      broken: Queue.take(breaks)
    }
  })

const obey = <R>(verbs: ReadonlyArray<Verb<R>>, line: string): Effect.Effect<void, never, R> => {
  const [word = "", ...words] = line.trim().split(/\s+/)
  if (word === "") return Effect.void
  if (/^(help|\?)$/i.test(word)) return Effect.sync(() => usageLines(verbs).forEach((text) => print(text)))
  const verb = find(verbs, word)
  if (!verb) {
    const meant = didYouMean(
      word,
      verbs.flatMap(({ names }) => [...names])
    )
    return Effect.sync(() => print(`'${word}' is no command here.${meant} Type help for what there is.`))
  }
  const rest = line.trim().slice(word.length).replace(/^\s/, "")
  return Effect.catchAll(verb.run(words, rest), (failure) =>
    Effect.sync(() => {
      for (const sentence of [failure.message, ...(failure.hint === undefined ? [] : [failure.hint])]) print(sentence)
    })
  )
}

/** A wrong use of a verb, in words that show the right one. */
export const usageFailure = (usage: string): Effect.Effect<never, CliFailure> => Effect.fail(new CliFailure({ exit: "usage", message: `usage: ${usage}` }))

/** Reads lines and obeys them, one at a time, until `exit` or the end of the input. */
export const runSession = <R>(of: {
  readonly name: string
  readonly greeting: ReadonlyArray<string>
  readonly verbs: ReadonlyArray<Verb<R>>
}): Effect.Effect<void, never, R> =>
  Effect.scoped(
    Effect.gen(function* () {
      for (const line of of.greeting) print(line)
      for (const line of usageLines(of.verbs)) print(line)
      const { ask, broken, said } = yield* openPrompt(of.name, of.verbs)
      for (;;) {
        yield* ask
        const next = yield* Effect.raceFirst(said, Effect.as(broken, "end" as const))
        if (next === "end") return process.stdin.isTTY ? print() : undefined
        if (/^\s*(exit|quit)\s*$/i.test(next.line)) return
        const interrupted = Effect.map(broken, () => print("^C"))
        yield* Effect.raceFirst(obey(of.verbs, next.line), interrupted)
      }
    })
  )
