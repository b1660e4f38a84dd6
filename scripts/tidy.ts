/**
 * `bun scripts/tidy.ts [--lower] [--words [PATH]] [--circles]`: the rules of this project that neither the compiler nor the linter knows. Exits 1 and names each place where one is
 * broken. `--lower` writes down what has become smaller; `--words` lists the words of scripts/tidy/words.ts that are left, below a path; `--circles` the directories that import each other.
 */
import { join } from "node:path"
import { directoryCircles, fileCircles } from "./tidy/circles.ts"
import { subjectsSinceRule } from "./tidy/commits.ts"
import { isExcused, unusedExportFindings, unusedExports } from "./tidy/exports.ts"
import { dateNow, importedTime, platformGlobals } from "./tidy/globals.ts"
import { importLaw } from "./tidy/import-law.ts"
import { runOxlint } from "./tidy/oxlint.ts"
import { readRatchet, readWordRatchet, writeRatchet, writeWordRatchet } from "./tidy/ratchet.ts"
import { deadFiles, leftovers, shortDeadlines } from "./tidy/rules.ts"
import { compareSizes, longFiles, longFunctions, loweredSizes } from "./tidy/size.ts"
import { type Finding, isProduct, readDocuments, readSources } from "./tidy/source.ts"
import { compareWords, loweredWords, wordsInDocument, wordsInSource, wordsInSubjects } from "./tidy/words.ts"

const options = process.argv.slice(2)
const has = (name: string): boolean => options.includes(name)
/** Another tree than this one, for tests that plant mistakes. */
const root = has("--root") ? (options[options.indexOf("--root") + 1] ?? "") : join(import.meta.dir, "..")
const sources = readSources(root)
const documents = readDocuments(root)
const product = sources.filter(isProduct)
const words = [
  ...sources.filter(({ path }) => !path.startsWith("scripts/tidy/") && path !== "test/scripts/tidy.test.ts").flatMap(wordsInSource),
  ...documents.flatMap(wordsInDocument)
]

if (has("--words")) {
  const below = options[options.indexOf("--words") + 1] ?? ""
  const found = words.filter(({ path }) => path.startsWith(below))
  for (const { line, message, path } of found) console.log(`${path}:${line} ${message}`)
  console.log(`${found.length} words`)
  process.exit(0)
}
const circles = fileCircles(product)
if (has("--circles")) {
  for (const circle of [...circles, ...directoryCircles(product)]) console.log(circle.join(" "))
  process.exit(0)
}

const diagnostics = runOxlint(root)
const oversize = [...longFiles(sources), ...longFunctions(diagnostics, sources)]
const exports = unusedExports(sources)
const forTests = exports.forTests.filter((one) => !isExcused(sources, one))
const inCircles = circles.flat().length
const present = new Set([...sources, ...documents].map(({ path }) => path))

if (has("--lower")) {
  const { exportsForTests, filesInCircles, sizes } = readRatchet(root)
  writeRatchet(root, {
    sizes: loweredSizes(oversize, sizes),
    filesInCircles: Math.min(filesInCircles, inCircles),
    exportsForTests: Math.min(exportsForTests, forTests.length)
  })
  writeWordRatchet(root, loweredWords(words, readWordRatchet(root), present))
}

const ratchet = readRatchet(root)
/** One finding when a count is over its limit, with everything that is counted. */
const overLimit = (path: string, what: string, limit: number, counted: ReadonlyArray<string>, count = counted.length): ReadonlyArray<Finding> =>
  count > limit ? [{ path, line: 1, message: `${count} ${what}, ${limit} are allowed:\n  ${counted.join("\n  ")}` }] : []

const findings: ReadonlyArray<Finding> = [
  ...importLaw(sources),
  ...platformGlobals(diagnostics),
  ...dateNow(sources),
  ...importedTime(sources),
  ...leftovers(sources),
  ...shortDeadlines(sources),
  ...deadFiles(sources),
  ...unusedExportFindings(sources, exports),
  ...overLimit(
    "scripts/tidy/ratchet.json",
    "exports that only tests use (a docstring that says `Exported for tests` excuses one)",
    ratchet.exportsForTests,
    forTests.map(({ line, name, path }) => `${path}:${line} ${name}`)
  ),
  ...overLimit(
    "scripts/tidy/ratchet.json",
    "files import each other in circles",
    ratchet.filesInCircles,
    circles.map((circle) => circle.join(" ")),
    inCircles
  ),
  ...compareWords(words, readWordRatchet(root), present),
  ...wordsInSubjects(subjectsSinceRule(root)),
  ...compareSizes(oversize, ratchet.sizes)
]
for (const { path, line, message } of findings) console.error(`${path}:${line} ${message}`)
console.log(findings.length === 0 ? `tidy: ${present.size} files, ${words.length} words to replace` : `tidy: ${findings.length} findings`)
process.exit(findings.length === 0 ? 0 : 1)
