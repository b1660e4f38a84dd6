/** What a person or a script reads: results on stdout, everything about them on stderr. */
export const print = (line = ""): void => void process.stdout.write(`${line}\n`)
export const printError = (line: string): void => void process.stderr.write(`${line}\n`)
export const printJson = (value: unknown): void => print(JSON.stringify(value, (_, part) => (typeof part === "bigint" ? part.toString() : part)))

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
