import { Effect } from "effect"

/** What a person or a script reads: results on stdout, everything about them on stderr. */
export const print = (line = ""): void => void process.stdout.write(`${line}\n`)
export const printError = (line: string): void => void process.stderr.write(`${line}\n`)
export const printJson = (value: unknown): void => print(JSON.stringify(value, (_, part) => (typeof part === "bigint" ? part.toString() : part)))

/** What happens when whoever reads the output has gone. */
let readerGone: () => void = () => process.exit(0)

/** A reader that leaves early (`franz consume t | head`) is no fault: what it did not want is not written. */
export const endWithReader = (): void => {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (fault: NodeJS.ErrnoException) => {
      if (fault.code !== "EPIPE") throw fault
      readerGone()
    })
  }
}

/** Returns when the reader has gone, for commands that have something to put in order first. */
export const untilReaderGone: Effect.Effect<void> = Effect.async((resume) => {
  const before = readerGone
  readerGone = () => resume(Effect.void)
  return Effect.sync(() => {
    readerGone = before
  })
})

/** Writes bytes to stdout; returns when the reader has room for more. */
export const write = (bytes: Uint8Array): Effect.Effect<void> =>
  Effect.async((resume) => {
    process.stdout.write(bytes, (fault) => {
      // A fault is the stream's own event too, and is answered there.
      if (!fault) resume(Effect.void)
    })
  })

const coloured = (): boolean => process.stdout.isTTY === true && process.env.NO_COLOR === undefined
export const bold = (text: string): string => (coloured() ? `\u001b[1m${text}\u001b[0m` : text)
export const dim = (text: string): string => (coloured() ? `\u001b[2m${text}\u001b[0m` : text)

/** Rows under their heads, columns as wide as their widest cell; numbers stand to the right. */
export const table = (heads: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string | number>>): ReadonlyArray<string> => {
  const widths = heads.map((head, at) => Math.max(head.length, ...rows.map((row) => String(row[at] ?? "").length)))
  const cell = (value: string | number, at: number) => (typeof value === "number" ? String(value).padStart(widths[at] ?? 0) : value.padEnd(widths[at] ?? 0))
  const heading = heads.map((head, at) => (typeof rows[0]?.[at] === "number" ? head.padStart(widths[at] ?? 0) : head.padEnd(widths[at] ?? 0)))
  return [bold(heading.join("  ").trimEnd()), ...rows.map((row) => row.map(cell).join("  ").trimEnd())]
}
