import { Effect } from "effect"
import { printable, printableJson, printableLines } from "../../../domain/kernel/printable.ts"
import { exitCodes } from "./failure.ts"

/** Why an output takes no more: its reader has gone, or it cannot be written (a full disk). */
type OutputEnd = { readonly _tag: "readerGone" } | { readonly _tag: "failed"; readonly fault: NodeJS.ErrnoException }

/** Writes that the output has not taken yet, and the end of the process that waits for them. */
let pendingWrites = 0
let onSettled: () => void = () => undefined
let failure: NodeJS.ErrnoException | undefined

/** What happens when an output takes no more. A command that has to leave a group or close a connection first replaces it (`untilOutputEnds`). */
let outputEnded: (end: OutputEnd) => void = (end) => process.exit(end._tag === "readerGone" ? exitCodes.ok : exitCodes.disk)

/**
 * A reader that leaves early (`franz consume t | head`) is no fault: what it did not want is not written. Results that cannot be written are one, and are said once. Lines for
 * stderr are lost without a word where stderr itself is full: a node whose log file has no room serves on.
 */
const noteFault = (stream: NodeJS.WriteStream, fault: NodeJS.ErrnoException): void => {
  if (fault.code === "EPIPE") return outputEnded({ _tag: "readerGone" })
  if (stream !== process.stdout || failure !== undefined) return
  failure = fault
  try {
    process.stderr.write(`franz: standard output cannot be written: ${fault.message}\n`)
  } catch {
    // Standard error is as full; the exit code is all that is left to say it with.
  }
  outputEnded({ _tag: "failed", fault })
}

/** Hands bytes or text to an output. `taken` is called when the output has them, and never when it failed. */
const send = (stream: NodeJS.WriteStream, chunk: Uint8Array | string, taken?: () => void): void => {
  pendingWrites++
  const settled = (fault?: Error | null) => {
    pendingWrites--
    if (fault) noteFault(stream, fault)
    else taken?.()
    if (pendingWrites === 0) onSettled()
  }
  try {
    stream.write(chunk, settled)
  } catch (fault) {
    // Deno writes at once, and throws.
    settled(fault as Error)
  }
}

/** Calls `settled` with the fault of an output, if there was one, once every write has been taken or has failed. */
export const whenWritten = (settled: (fault: NodeJS.ErrnoException | undefined) => void): void => {
  if (pendingWrites === 0) return settled(failure)
  onSettled = () => settled(failure)
}

/** Begins and ends our own styles in a line until it is printed. Drawn anew for each process, so that no text from elsewhere has it. */
let drawn: { readonly mark: string; readonly styles: RegExp } | undefined
const styleMark = (): { readonly mark: string; readonly styles: RegExp } => {
  if (drawn !== undefined) return drawn
  // Loaded where a terminal is written to: other commands start sooner without.
  const mark = `<${process.getBuiltinModule("node:crypto").randomBytes(16).toString("hex")}:`
  drawn = { mark, styles: new RegExp(`${mark}(\\d)>`, "g") }
  return drawn
}
const styled = (text: string, code: 1 | 2): string => {
  if (!coloured()) return text
  const { mark } = styleMark()
  return `${mark}${code}>${text}${mark}0>`
}

/** The last step before a line is printed: whatever is in it, the terminal obeys our own styles alone, and the line stays one. */
export const rendered = (line: string): string => (drawn === undefined ? printable(line) : printable(line).replace(drawn.styles, "\u001b[$1m"))

/** Results go to stdout, everything about them to stderr. */
export const print = (line = ""): void => send(process.stdout, `${rendered(line)}\n`)
export const printError = (line: string): void => send(process.stderr, `${rendered(line)}\n`)
export const printJson = (value: unknown): void =>
  send(process.stdout, `${printableJson(JSON.stringify(value, (_, part) => (typeof part === "bigint" ? part.toString() : part)))}\n`)

/** The streams' own error events: a fault that no write was told of, and a second word about one that a write was told of. */
export const watchOutputs = (): void => {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", (fault) => noteFault(stream, fault))
}

/** Returns when an output takes no more, for commands that have something to put in order before the process ends. */
export const untilOutputEnds: Effect.Effect<OutputEnd> = Effect.async((resume) => {
  const before = outputEnded
  outputEnded = (end) => resume(Effect.succeed(end))
  return Effect.sync(() => {
    outputEnded = before
  })
})

/** Writes bytes to stdout as they are, whatever reads them; returns when the reader has room for more. */
export const writeRaw = (bytes: Uint8Array): Effect.Effect<void> => Effect.async((resume) => send(process.stdout, bytes, () => resume(Effect.void)))

/** The same for whole lines of text: a file or a pipe gets the bytes as they are, a terminal what it can show (UTF-8, unprintable characters escaped). */
export const write = (bytes: Uint8Array): Effect.Effect<void> =>
  process.stdout.isTTY === true ? writeRaw(new TextEncoder().encode(printableLines(new TextDecoder().decode(bytes)))) : writeRaw(bytes)

const coloured = (): boolean => process.stdout.isTTY === true && process.env.NO_COLOR === undefined
export const bold = (text: string): string => styled(text, 1)
export const dim = (text: string): string => styled(text, 2)

/** Rows under their heads, columns as wide as their widest cell; numbers stand to the right. */
export const table = (heads: ReadonlyArray<string>, cells: ReadonlyArray<ReadonlyArray<string | number>>): ReadonlyArray<string> => {
  const rows = cells.map((row) => row.map((value) => (typeof value === "string" ? printable(value) : value)))
  const widths = heads.map((head, at) => Math.max(head.length, ...rows.map((row) => String(row[at] ?? "").length)))
  const cell = (value: string | number, at: number) => (typeof value === "number" ? String(value).padStart(widths[at] ?? 0) : value.padEnd(widths[at] ?? 0))
  const heading = heads.map((head, at) => (typeof rows[0]?.[at] === "number" ? head.padStart(widths[at] ?? 0) : head.padEnd(widths[at] ?? 0)))
  return [bold(heading.join("  ").trimEnd()), ...rows.map((row) => row.map(cell).join("  ").trimEnd())]
}
