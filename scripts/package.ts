/**
 * `./franz package`: the package for npm in dist/package: JavaScript modules for Node, Deno and Bun with their declarations, and the command `franz`. `npm publish dist/package`
 * publishes it. `--matrix` tries it on runtimes, test runners and versions of TypeScript and Effect. `npm pack` in the checkout gives the same package (prepack, postpack).
 */
import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { writeDeclarations } from "./package/declarations.ts"
import { entrySources, readManifest } from "./package/manifest.ts"
import { buildModules } from "./package/modules.ts"
import { restoreManifest, stage, swapManifest } from "./package/stage.ts"

const root = join(import.meta.dir, "..")
const fail = (what: string, code = 1): never => {
  console.error(`franz package: ${what}`)
  process.exit(code)
}
const [option, ...more] = process.argv.slice(2)
if ((option !== undefined && !["--matrix", "--swap", "--restore"].includes(option)) || (option !== "--matrix" && more.length > 0))
  fail(`'${[option, ...more].join(" ")}' is not known.\nUsage: ./franz package [--matrix [WORD…]]`, 2)

restoreManifest(root)
if (option === "--restore") process.exit(0)

const manifest = readManifest(root)
const { version } = manifest
const entries = entrySources(manifest)
/** Every file that names the version. */
for (const [file, pattern] of [
  ["jsr.json", `"version": "${version}"`],
  ["src/wire/link/exchange.ts", `clientSoftwareVersion: "${version}"`]
] as const)
  if (!readFileSync(join(root, file), "utf8").includes(pattern)) fail(`${file} has another version than package.json: expected ${pattern}.`)

const onJsr = (JSON.parse(readFileSync(join(root, "jsr.json"), "utf8")) as { readonly exports: Readonly<Record<string, string>> }).exports
if (entries.join() !== Object.values(onJsr).join()) fail(`jsr.json exports ${Object.values(onJsr).join(", ")}, and package.json ${entries.join(", ")}.`)

const lib = join(root, "dist/lib")
rmSync(lib, { recursive: true, force: true })
const modules = await buildModules(root, lib, version, [...entries, "./src/programs/franz.ts"])
if (typeof modules === "string") fail(modules)
const declarations = await writeDeclarations(root, join(lib, "types"), entries)
if (typeof declarations === "string") fail(`the declarations could not be made:\n${declarations}`)
const at = stage(root, lib)
console.log(`${at}: ${modules} modules, ${declarations} declarations`)
if (option === "--swap") swapManifest(root)
if (option === "--matrix") {
  const { printMatrix } = await import("./package/matrix.ts")
  process.exit((await printMatrix(root, at, more)) ? 0 : 1)
}
