/** The declarations of the package: those files that its entries reach, and no others. */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { Glob } from "bun"

const relativeImport = /((?:from|import\(|import)\s*")(\.\.?\/[^"]+)(")/g

/** The files that a declaration names, by their paths. */
const reached = (file: string, text: string): ReadonlyArray<string> =>
  [...text.matchAll(relativeImport)].map(([, , path = ""]) => join(dirname(file), path.replace(/\.js$/, ".d.ts")))

/** Writes the declarations of the sources to `out`. Returns their number, or the compiler's errors. */
export const writeDeclarations = async (root: string, out: string, entries: ReadonlyArray<string>): Promise<number | string> => {
  const settings = join(root, "dist/tsconfig.json")
  writeFileSync(
    settings,
    JSON.stringify({ extends: "../tsconfig.package.json", compilerOptions: { outDir: out, rootDir: root }, files: entries.map((entry) => join(root, entry)) })
  )
  const compiled = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", settings], { cwd: root, encoding: "utf8" })
  if (compiled.status !== 0) return compiled.stdout
  const texts = new Map<string, string>()
  const wanted = entries.map((entry) => join(out, entry.replace(/\.ts$/, ".d.ts")))
  for (let file = wanted.pop(); file !== undefined; file = wanted.pop()) {
    if (texts.has(file)) continue
    if (!existsSync(file)) return `a declaration names ${file}, which the compiler did not write`
    // The compiler leaves the sources' extensions in declarations; a consumer's compiler looks for the .d.ts beside a .js.
    // Before TypeScript 5.7 typed arrays have no type argument.
    const text = readFileSync(file, "utf8")
      .replace(relativeImport, (_, before: string, path: string, after: string) => `${before}${path.replace(/\.ts$/, ".js")}${after}`)
      .replace(/\bUint8Array<ArrayBuffer(?:Like)?>/g, "Uint8Array")
    texts.set(file, text)
    wanted.push(...reached(file, text))
  }
  for await (const file of new Glob("**/*.d.ts").scan({ cwd: out, absolute: true })) if (!texts.has(file)) rmSync(file)
  for (const [file, text] of texts) writeFileSync(file, text)
  return texts.size
}
