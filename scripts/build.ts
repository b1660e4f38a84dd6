/**
 * `./franz build [--out DIR]`: the programs as single files in dist/ or DIR, which run with nothing else around. Native addons travel inside and are unpacked to the temporary
 * directory at start; where that cannot be written, the TypeScript ways do their work.
 */
import { mkdirSync, statSync } from "node:fs"
import { join, relative, resolve } from "node:path"
import { compileProgram } from "./build/bundle.ts"

const root = join(import.meta.dir, "..")
const [option, directory] = process.argv.slice(2)
if (option !== undefined && (option !== "--out" || directory === undefined)) {
  console.error(`franz build: '${option}' is not known. Usage: ./franz build [--out DIR]`)
  process.exit(2)
}
const dist = directory === undefined ? join(root, "dist") : resolve(directory)
const programs = ["franz", "brokerlead", "broker", "producer", "consumer"] as const

const fileOf = (program: (typeof programs)[number]): string => join(dist, program === "franz" ? "franz" : `franz-${program}`)

mkdirSync(dist, { recursive: true })
for (const program of programs) {
  const outfile = fileOf(program)
  const built = await compileProgram(root, program, outfile)
  if (!built.success) {
    for (const line of built.logs) console.error(String(line))
    console.error(`${program} could not be built.`)
    process.exit(1)
  }
  console.log(`${relative(process.cwd(), outfile).padEnd(22)} ${(statSync(outfile).size / 1e6).toFixed(0)} MB`)
}
