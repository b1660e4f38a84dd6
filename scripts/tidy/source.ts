import { readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { Glob } from "bun"

/** One TypeScript file of the project: its path from the root, and its text. */
export interface Source {
  readonly path: string
  readonly text: string
}
/** A place where a rule is broken: its line, and what to do. */
export interface Finding {
  readonly path: string
  readonly line: number
  readonly message: string
}

export const rooms = ["domain", "src", "adapters", "scripts", "test"] as const

export const readSources = (root: string): ReadonlyArray<Source> =>
  rooms.flatMap((room) => [...new Glob(`${room}/**/*.{ts,tsx}`).scanSync(root)].sort().map((path) => ({ path, text: readFileSync(join(root, path), "utf8") })))

/** README and everything in docs but the table of settings, which scripts/settings.ts writes. */
export const readDocuments = (root: string): ReadonlyArray<Source> =>
  [...new Glob("*.md").scanSync(root), ...new Glob("docs/**/*.md").scanSync(root)]
    .filter((path) => path !== "docs/settings.md")
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }))

/** What users run, and the scripts: everything but tests. */
export const isProduct = ({ path }: Source): boolean => !path.startsWith("test/")

/** Every module a file names, with its line: `import`, `export … from` and `import()` of a literal. Types count: a type is knowledge too. */
export const importsOf = ({
  path,
  text
}: Source): ReadonlyArray<{ readonly specifier: string; readonly target: string; readonly names: string; readonly line: number }> => {
  const found = []
  const pattern =
    /^[ \t]*(?:import|export)\s+((?:type\s+)?(?:[\w*$\s,{}]|\bas\b)*?)\s*from\s*["']([^"']+)["']|^[ \t]*import\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/gm
  for (const match of text.matchAll(pattern)) {
    const specifier = match[2] ?? match[3] ?? match[4] ?? ""
    const target = specifier.startsWith(".") ? normalize(join(dirname(path), specifier)) : specifier
    found.push({ specifier, target, names: match[1] ?? "", line: text.slice(0, match.index).split("\n").length })
  }
  return found
}
