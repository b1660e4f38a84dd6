/** `bun scripts/tidy.ts [--lower]`: the rules of the house that neither compiler nor linter knows. Exits 1 and names each place where one is broken. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { importLaw } from "./tidy/import-law.ts"
import { deadFiles, leftovers, timeAndChance } from "./tidy/rules.ts"
import { compareSizes, longFiles, longFunctions, type Ratchet } from "./tidy/size.ts"
import { readSources } from "./tidy/source.ts"

const root = join(import.meta.dir, "..")
const ratchetFile = join(root, "scripts/tidy/ratchet.json")
const ratchet = JSON.parse(readFileSync(ratchetFile, "utf8")) as Ratchet
const sources = readSources(root)
const oversize = [...longFiles(sources), ...longFunctions(root, sources)]

if (process.argv.includes("--lower")) {
  const now = new Map(oversize.map(({ key, lines }) => [key, lines]))
  const lowered = Object.fromEntries(Object.entries(ratchet).flatMap(([key, lines]) => (now.has(key) ? [[key, Math.min(lines, now.get(key) ?? lines)]] : [])))
  writeFileSync(ratchetFile, `${JSON.stringify(lowered, null, 2)}\n`)
}

const findings = [
  ...importLaw(sources),
  ...timeAndChance(sources),
  ...leftovers(sources),
  ...deadFiles(sources),
  ...compareSizes(oversize, JSON.parse(readFileSync(ratchetFile, "utf8")) as Ratchet)
]
for (const { path, line, message } of findings) console.error(`${path}:${line} ${message}`)
console.log(findings.length === 0 ? `tidy: ${sources.length} files, nothing to say` : `tidy: ${findings.length} places to mend`)
process.exit(findings.length === 0 ? 0 : 1)
