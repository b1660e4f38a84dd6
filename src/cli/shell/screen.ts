import { Effect, FiberRef } from "effect"
import { printable, printableJson, printableLines } from "../../../domain/kernel/printable.ts"
import { exitCodes } from "./failure.ts"

/** Why an output has ended: its reader has closed the pipe, or a write failed (a full disk). */
type OutputEnd = { readonly _tag: "readerGone" } | { readonly _tag: "failed"; readonly fault: NodeJS.ErrnoException }

/** Writes that have not completed, and the end of the process, which waits for them. */
let pendingWrites = 0
let onSettled: () => void = () => undefined
let failure: NodeJS.ErrnoException | undefined

/**
 * Called when an output ends. A command that must leave a group or close connections first replaces it
 * (`untilOutputEnds`).
 */
let outputEnded: (end: OutputEnd) => void = (end) => process.exit(end._tag === "readerGone" ? exitCodes.ok : exitCodes.disk)

/**
 * A reader that closes the pipe early (`franz consume t | head`) is not an error. Results that cannot be written are
 * one, reported once. Lines for standard error are dropped where its disk is full: a node whose log file has no space
 * continues.
 */
const noteFault = (stream: NodeJS.WriteStream, fault: NodeJS.ErrnoException): void => {
  if (fault.code === "EPIPE") return outputEnded({ _tag: "readerGone" })
  if (stream !== process.stdout || failure !== undefined) return
  failure = fault
  try {
    process.stderr.write(`franz: standard output cannot be written: ${fault.message}\n`)
  } catch {
    // Standard error has failed, too: the exit code alone reports the error.
  }
  outputEnded({ _tag: "failed", fault })
}

/** Writes bytes or text to an output. `written` is called when the write has completed, and not when it failed. */
const send = (stream: NodeJS.WriteStream, chunk: Uint8Array | string, written?: () => void): void => {
  pendingWrites++
  const settled = (fault?: Error | null) => {
    pendingWrites--
    if (fault) noteFault(stream, fault)
    else written?.()
    if (pendingWrites === 0) onSettled()
  }
  try {
    stream.write(chunk, settled)
  } catch (fault) {
    // Deno writes synchronously, and throws.
    settled(fault as Error)
  }
}

/** Calls `settled` when all writes have completed or failed, with the error of the output if there was one. */
export const whenWritten = (settled: (fault: NodeJS.ErrnoException | undefined) => void): void => {
  if (pendingWrites === 0) return settled(failure)
  onSettled = () => settled(failure)
}

/**
 * Marks the styles of this program in a line until it is printed. Each process draws its own mark, so that no text of a
 * message or a node has it.
 */
let drawn: { readonly mark: string; readonly styles: RegExp } | undefined
const styleMark = (): { readonly mark: string; readonly styles: RegExp } => {
  if (drawn !== undefined) return drawn
  // Loaded only where styles are used: other commands start sooner without it.
  const mark = `<${process.getBuiltinModule("node:crypto").randomBytes(16).toString("hex")}:`
  drawn = { mark, styles: new RegExp(`${mark}(\\d)>`, "g") }
  return drawn
}
const styled = (text: string, code: 1 | 2): string => {
  if (!coloured()) return text
  const { mark } = styleMark()
  return `${mark}${code}>${text}${mark}0>`
}

/** Escapes a line before it is printed: it stays one line, and the terminal obeys only the styles of this program. */
export const rendered = (line: string): string => (drawn === undefined ? printable(line) : printable(line).replace(drawn.styles, "\u001b[$1m"))

/** Results go to standard output, messages about them to standard error. */
export const print = (line = ""): void => send(process.stdout, `${rendered(line)}\n`)
export const printError = (line: string): void => send(process.stderr, `${rendered(line)}\n`)
const jsonLine = (value: unknown): string => `${printableJson(JSON.stringify(value, (_, part) => (typeof part === "bigint" ? part.toString() : part)))}\n`
export const printJson = (value: unknown): void => send(process.stdout, jsonLine(value))
export const printErrorJson = (value: unknown): void => send(process.stderr, jsonLine(value))

/** Whether the command line has `--json`. A script parses the whole standard error as the error then, so lines about progress are left out. */
export const asksForJson: FiberRef.FiberRef<boolean> = FiberRef.unsafeMake(false)
/** Prints a line about the progress of a command to standard error; under `--json` prints nothing. */
export const printProgress = (line: string): Effect.Effect<void> =>
  Effect.flatMap(FiberRef.get(asksForJson), (isJson) => (isJson ? Effect.void : Effect.sync(() => printError(line))))

/** Handles the error events of the streams, which also report errors that no write reports. */
export const watchOutputs = (): void => {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", (fault) => noteFault(stream, fault))
}

/** Returns when an output ends, for commands that close groups and connections before the process ends. */
export const untilOutputEnds: Effect.Effect<OutputEnd> = Effect.async((resume) => {
  const before = outputEnded
  outputEnded = (end) => resume(Effect.succeed(end))
  return Effect.sync(() => {
    outputEnded = before
  })
})

/** Writes bytes to standard output unchanged. Returns when the write has completed. */
export const writeRaw = (bytes: Uint8Array): Effect.Effect<void> => Effect.async((resume) => send(process.stdout, bytes, () => resume(Effect.void)))

/**
 * Writes whole lines of text: unchanged to a file or a pipe, to a terminal as UTF-8 with unprintable characters
 * escaped.
 */
export const write = (bytes: Uint8Array): Effect.Effect<void> =>
  process.stdout.isTTY === true ? writeRaw(new TextEncoder().encode(printableLines(new TextDecoder().decode(bytes)))) : writeRaw(bytes)

const coloured = (): boolean => process.stdout.isTTY === true && process.env.NO_COLOR === undefined
export const bold = (text: string): string => styled(text, 1)
export const dim = (text: string): string => styled(text, 2)

/** Formats rows under their heads, in columns as wide as their widest cell. Numbers are aligned to the right. */
export const table = (heads: ReadonlyArray<string>, cells: ReadonlyArray<ReadonlyArray<string | number>>): ReadonlyArray<string> => {
  const rows = cells.map((row) => row.map((value) => (typeof value === "string" ? printable(value) : value)))
  const widths = heads.map((head, at) => Math.max(head.length, ...rows.map((row) => String(row[at] ?? "").length)))
  const cell = (value: string | number, at: number) => (typeof value === "number" ? String(value).padStart(widths[at] ?? 0) : value.padEnd(widths[at] ?? 0))
  const heading = heads.map((head, at) => (typeof rows[0]?.[at] === "number" ? head.padStart(widths[at] ?? 0) : head.padEnd(widths[at] ?? 0)))
  return [bold(heading.join("  ").trimEnd()), ...rows.map((row) => row.map(cell).join("  ").trimEnd())]
}
