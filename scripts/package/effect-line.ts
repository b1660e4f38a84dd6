/**
 * The one module through which the built library imports Effect. `import { Either } from "effect"` beside effect 4 ends with the runtime's "export not found" before any
 * module runs, so the build imports Effect as a namespace, looks at its version, and then names the modules.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type BunPlugin, Glob, Transpiler } from "bun"
import { testedRange } from "./manifest.ts"

/** The names that our sources import from `effect`, sorted. Types are no imports here. */
const importedNames = async (root: string): Promise<ReadonlyArray<string>> => {
  const transpiler = new Transpiler({ loader: "ts" })
  const names = new Set<string>()
  for await (const file of new Glob("{domain,src,adapters}/**/*.ts").scan({ cwd: root }))
    for (const [, list = ""] of transpiler.transformSync(readFileSync(join(root, file), "utf8")).matchAll(/import\s*\{([^}]*)\}\s*from\s*"effect"/g))
      for (const part of list.split(",")) {
        const name = part.trim().split(/\s+as\s+/)[0] ?? ""
        if (name !== "") names.add(name)
      }
  return [...names].sort()
}

/** The text of the module: it throws a sentence where the Effect beside the library is none that the library works with. */
const moduleText = (names: ReadonlyArray<string>, version: string): string => `import * as effect from "effect"
import { createRequire } from "node:module"

// Runtimes print the lines of the source around a failure: they are short, and the first line with "Error" is the sentence.
const [Failure, name] = [Error, "UnsupportedEffectVersionError"]

const tested = ${JSON.stringify(testedRange)}
const versionFound = () => {
  const none = effect.Effect?.void
  const stamped = none?.[effect.Effect?.EffectTypeId]?._V
  if (typeof stamped === "string") return stamped
  try {
    return createRequire(import.meta.url)("effect/package.json").version
  } catch {
    return "of another line"
  }
}
const atLeast = (version, lowest) => {
  const [is, wanted] = [version, lowest].map((text) => text.split(/[.-]/).map(Number))
  for (let i = 0; i < 3; i++) if (is[i] !== wanted[i]) return is[i] > wanted[i]
  return true
}
const found = versionFound()
if (!found.startsWith("3.") || !atLeast(found, tested.lowest)) {
  const sentence =
    "comanche-franz ${version} works with effect 3 (tested: " + tested.lowest + " to " + tested.newest + ") and found effect " + found +
    ". Install a version of that line beside it: npm install effect@" + tested.newest + " (bun add, deno add npm:effect@" + tested.newest + ")."
  throw Object.assign(new Failure(sentence), { name })
}
${names.map((name) => `export const ${name} = effect.${name}`).join("\n")}
`

/** The file beside the modules. It is no part of a chunk, so that it runs before each of them. */
const fileName = "effect.js"

export const writeEffectLine = async (root: string, out: string, version: string): Promise<void> => {
  writeFileSync(join(out, fileName), moduleText(await importedNames(root), version))
}

/** Sends every import of `effect` in our sources to that file; other packages' imports stay. */
export const effectLine: BunPlugin = {
  name: "effect-line",
  setup: (build) => {
    build.onResolve({ filter: /^effect$/ }, ({ importer }) => ({ path: importer.includes("/node_modules/") ? "effect" : `./${fileName}`, external: true }))
  }
}
