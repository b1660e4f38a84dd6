import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, join } from "node:path"
import { createInterface, type Interface } from "node:readline"
import { Effect, Exit, Option, Queue, type Scope } from "effect"
import { CliFailure } from "../shell/failure.ts"
import { stdinChunks } from "../shell/input.ts"
import { LineSplitter } from "../shell/line-splitter.ts"
import { bold, rendered } from "../shell/screen.ts"

/** The next line that the user enters, or the end of the input. */
type Entered = { readonly line: string } | "end"

/** Where a session reads its commands. */
interface SessionInput {
  /** Shows that the session waits for a command. */
  readonly prompt: Effect.Effect<void>
  readonly next: Effect.Effect<Entered, CliFailure>
  /** Returns when the user presses Ctrl-C on an empty line. */
  readonly interrupted: Effect.Effect<void>
}

/** The candidates for the last word of a line, and that word. */
type Complete = (line: string) => Effect.Effect<readonly [ReadonlyArray<string>, string]>

const historyLinesMax = 500
const historyFile = (name: string): string => join(process.env.XDG_STATE_HOME ?? join(homedir(), ".local", "state"), "comanche-franz", `${name}-history`)

/** A session works without a history that cannot be read or written. */
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

/** Lines that the user types or pastes while a command runs. */
const typedLinesMax = 10_000
/**
 * With this many lines waiting the terminal is not read any further: what it delivers at once (some kilobytes) still
 * has room below `typedLinesMax`.
 */
const typedLinesPause = 1000

/** Lines of a terminal, with a history and completion. */
const openTerminal = (name: string, complete: Complete): Effect.Effect<SessionInput, never, Scope.Scope> =>
  Effect.gen(function* () {
    const lines = yield* Queue.bounded<Entered>(typedLinesMax)
    const interrupts = yield* Queue.sliding<void>(1)
    let isOpen = true
    const readline: Interface = createInterface({
      input: process.stdin,
      output: process.stdout,
      terminal: true,
      prompt: rendered(`${bold(name)}> `),
      history: readHistory(name),
      historySize: historyLinesMax,
      removeHistoryDuplicates: true,
      completer: (line: string, done: (fault: null, found: [Array<string>, string]) => void) =>
        Effect.runCallback(complete(line), { onExit: (exit) => done(null, Exit.isSuccess(exit) ? [[...exit.value[0]], exit.value[1]] : [[], line]) })
    })
    readline.on("line", (line) => {
      if (isOpen && Option.getOrElse(lines.unsafeSize(), () => 0) >= typedLinesPause) readline.pause()
      lines.unsafeOffer({ line })
    })
    readline.on("history", (newestFirst) => writeHistory(name, newestFirst))
    readline.on("close", () => {
      isOpen = false
      lines.unsafeOffer("end")
    })
    // Ctrl-C deletes the line that is being typed. On an empty line, or while a command runs, the session answers it.
    readline.on("SIGINT", () => {
      if (readline.line === "") interrupts.unsafeOffer(undefined)
      else readline.write(null, { ctrl: true, name: "u" })
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => readline.close()))
    return {
      // Reads on, too, where the terminal was paused.
      prompt: Effect.sync(() => {
        if (isOpen) readline.prompt()
      }),
      next: Queue.take(lines),
      interrupted: Queue.take(interrupts)
    }
  })

/** Bytes of one piped line. */
const lineBytesMax = 1_048_576
const utf8 = new TextDecoder()
/** Readline takes a carriage return for a part of the newline. */
const textOf = (line: Uint8Array): string => utf8.decode(line).replace(/\r$/, "")

/** Lines of a pipe or a file. No chunk is read before the lines of the last one are taken. */
const openPipe: Effect.Effect<SessionInput> = Effect.sync(() => {
  const chunks = stdinChunks("Give a file or a pipe with one command a line.")
  const splitter = new LineSplitter(lineBytesMax)
  let lines: ReadonlyArray<Uint8Array> = []
  let at = 0
  const next: Effect.Effect<Entered, CliFailure> = Effect.suspend(() => {
    const line = lines[at++]
    if (line !== undefined) return Effect.succeed({ line: textOf(line) })
    return Effect.flatMap(chunks, (chunk): Effect.Effect<Entered, CliFailure> => {
      if (chunk === undefined) {
        const last = splitter.rest()
        return Effect.succeed(last === undefined ? "end" : { line: textOf(last) })
      }
      const pushed = splitter.push(chunk)
      if (pushed === "too long")
        return Effect.fail(
          new CliFailure({ exit: "usage", message: `a line of standard input is longer than ${lineBytesMax} bytes: give one command a line.` })
        )
      lines = pushed
      at = 0
      return next
    })
  })
  return { prompt: Effect.void, next, interrupted: Effect.never }
})

/** Opens standard input for a session of this name. */
export const openInput = (name: string, complete: Complete): Effect.Effect<SessionInput, never, Scope.Scope> =>
  process.stdin.isTTY === true ? openTerminal(name, complete) : openPipe
