import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { WordRatchet } from "./words.ts"

/** What the rules still allow: numbers that only become smaller. */
interface Ratchet {
  /** Lines of files and functions over the measure. */
  readonly sizes: Readonly<Record<string, number>>
  readonly filesInCircles: number
  readonly exportsForTests: number
}

const read = (root: string, name: string): unknown => JSON.parse(readFileSync(join(root, "scripts/tidy", name), "utf8"))
const write = (root: string, name: string, value: unknown): void => writeFileSync(join(root, "scripts/tidy", name), `${JSON.stringify(value, null, 2)}\n`)

export const readRatchet = (root: string): Ratchet => read(root, "ratchet.json") as Ratchet
export const writeRatchet = (root: string, ratchet: Ratchet): void => write(root, "ratchet.json", ratchet)
/** Words of the list by file. */
export const readWordRatchet = (root: string): WordRatchet => read(root, "words.json") as WordRatchet
export const writeWordRatchet = (root: string, ratchet: WordRatchet): void => write(root, "words.json", ratchet)
