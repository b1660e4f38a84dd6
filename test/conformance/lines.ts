import { readFileSync } from "node:fs"
import { gunzipSync } from "node:zlib"

/** The JSON values of a file of lines, plain or gzip. Empty lines are left out; a line's number, from 1, is its place in the file. */
export const readLines = <A>(file: string | URL): ReadonlyArray<{ readonly line: number; readonly value: A }> => {
  const stored = readFileSync(file)
  const plain = stored[0] === 0x1f && stored[1] === 0x8b ? gunzipSync(stored) : stored
  return plain
    .toString("utf8")
    .split("\n")
    .flatMap((text, index) => (text.trim() === "" ? [] : [{ line: index + 1, value: JSON.parse(text) as A }]))
}

/** Where the vectors that come with the project lie. */
export const messagesFile = new URL("data/messages.jsonl.gz", import.meta.url)
export const batchesFile = new URL("data/batches.jsonl.gz", import.meta.url)
