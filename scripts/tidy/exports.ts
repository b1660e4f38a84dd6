import { dirname, join, normalize } from "node:path"
import { lex } from "./lexer.ts"
import type { Finding, Source } from "./source.ts"

/** A name that a file exports. */
interface Exported {
  readonly path: string
  readonly name: string
  readonly line: number
}
/** What one file says of the names of another: these, or all of them. */
interface Use {
  readonly target: string
  readonly names: ReadonlyArray<string> | "all"
  /** The file exports them again, under the same or other names: `[theirs, ours]`. */
  readonly again?: ReadonlyArray<readonly [theirs: string, ours: string]> | "all"
}
interface Module {
  readonly path: string
  readonly exports: ReadonlyArray<Exported>
  readonly uses: ReadonlyArray<Use>
}

const declared =
  /^export\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:const\s+enum|const|let|var|function\s*\*?|class|interface|type|enum|namespace)\s+([\w$]+)/gm
const destructured = /^export\s+const\s*[{[]([^=]*)[}\]]\s*=/gm
const listedHere = /^export\s+(?:type\s+)?\{([^}]*)\}(?!\s*from)/gm

const clauseNames = (clause: string): ReadonlyArray<readonly [theirs: string, ours: string]> =>
  clause
    .split(",")
    .map((part) => part.trim().replace(/^type\s+/, ""))
    .filter((part) => part !== "")
    .map((part) => {
      const [theirs = "", ours = theirs] = part.split(/\s+as\s+/)
      return [theirs, ours] as const
    })

const lineAt = (text: string, index: number): number => text.slice(0, index).split("\n").length

/** Uses of other files, read from the text with its strings: a specifier is one. Comments are left out by looking at lines of code alone. */
const usesOf = (path: string, text: string): ReadonlyArray<Use> => {
  const resolve = (specifier: string) => normalize(join(dirname(path), specifier))
  const uses: Array<Use> = []
  for (const [, words = "", clause = "", specifier = ""] of text.matchAll(/^(import|export)\s+((?:type\s+)?(?:[\w$*\s,{}])*?)\s*from\s*["'](\.[^"']+)["']/gm)) {
    const target = resolve(specifier)
    const listed = clause.match(/\{([^}]*)\}/)?.[1]
    if (listed === undefined) {
      const isNamespace = /\*\s+as\s+/.test(clause)
      uses.push({ target, names: words === "export" && !isNamespace ? [] : "all", ...(words === "export" && !isNamespace ? { again: "all" as const } : {}) })
      continue
    }
    const names = clauseNames(listed)
    const used = /^\s*(?:type\s+)?[\w$]+\s*,/.test(clause) ? [...names.map(([theirs]) => theirs), "default"] : names.map(([theirs]) => theirs)
    uses.push(words === "export" ? { target, names: [], again: names } : { target, names: used })
  }
  for (const [, names, specifier = ""] of text.matchAll(/(?:const\s*\{([^}]*)\}\s*=\s*(?:\(?await\s+)?)?\bimport\(\s*["'](\.[^"']+)["']\s*\)/g))
    uses.push({ target: resolve(specifier), names: names === undefined ? "all" : names.split(",").map((name) => name.split(":")[0]?.trim() ?? "") })
  return uses
}

const moduleOf = ({ path, text }: Source): Module => {
  const { code } = lex(text)
  const exports: Array<Exported> = []
  const add = (name: string, index: number) => exports.push({ path, name, line: lineAt(code, index) })
  for (const { 1: name = "", index } of code.matchAll(declared)) add(name, index)
  for (const { 1: names = "", index } of code.matchAll(destructured))
    for (const part of names.split(",")) add(part.split(":").at(-1)?.trim().split(/\s*=/)[0] ?? "", index)
  for (const { 1: names = "", index } of code.matchAll(listedHere)) for (const [, ours] of clauseNames(names)) add(ours, index)
  const uses = usesOf(path, text)
  for (const { again } of uses) if (again !== undefined && again !== "all") for (const [, ours] of again) exports.push({ path, name: ours, line: 1 })
  return { path, exports: exports.filter(({ name }) => name !== ""), uses }
}

/** Entries of the package: what they export is for users. */
const entries = new Set(["src/programs/library.ts", "src/programs/testing.ts", "src/programs/promise.ts"])

/** Marks a name of a file as used, and the name that it stands for where the file exports it again from another. */
const mark = (modules: ReadonlyMap<string, Module>, used: Set<string>, target: string, name: string): void => {
  const key = `${target}#${name}`
  if (used.has(key)) return
  used.add(key)
  for (const use of modules.get(target)?.uses ?? []) {
    if (use.again === undefined) continue
    if (use.again === "all") mark(modules, used, use.target, name)
    else for (const [theirs, ours] of use.again) if (ours === name) mark(modules, used, use.target, theirs)
  }
}
const namesOf = (modules: ReadonlyMap<string, Module>, target: string, seen = new Set<string>()): ReadonlyArray<string> => {
  const module = modules.get(target)
  if (module === undefined || seen.has(target)) return []
  seen.add(target)
  const again = module.uses.filter((use) => use.again === "all").flatMap((use) => namesOf(modules, use.target, seen))
  return [...module.exports.map(({ name }) => name), ...again]
}
const usedBy = (modules: ReadonlyMap<string, Module>, users: Iterable<Module>): ReadonlySet<string> => {
  const used = new Set<string>()
  for (const { uses } of users)
    for (const { names, target } of uses) for (const name of names === "all" ? namesOf(modules, target) : names) mark(modules, used, target, name)
  for (const entry of entries) for (const name of namesOf(modules, entry)) mark(modules, used, entry, name)
  return used
}

interface UnusedExports {
  /** Nothing but their own file uses them. */
  readonly unused: ReadonlyArray<Exported>
  /** Outside of test/, only tests use them. */
  readonly forTests: ReadonlyArray<Exported>
}
export const unusedExports = (sources: ReadonlyArray<Source>): UnusedExports => {
  const modules = new Map(sources.filter(({ path }) => !path.endsWith(".d.ts")).map((source) => [source.path, moduleOf(source)]))
  const byAll = usedBy(modules, modules.values())
  const byProduct = usedBy(
    modules,
    [...modules.values()].filter(({ path }) => !path.startsWith("test/"))
  )
  const exports = [...modules.values()].flatMap((module) => module.exports)
  const key = ({ name, path }: Exported) => `${path}#${name}`
  return {
    unused: exports.filter((one) => !byAll.has(key(one))),
    forTests: exports.filter((one) => !one.path.startsWith("test/") && byAll.has(key(one)) && !byProduct.has(key(one)))
  }
}

/** Whether the docstring above an export says what it is exported for: tests, or the declarations of the package, in which types appear that no file names. */
export const isExcused = (sources: ReadonlyArray<Source>, { line, path }: Exported): boolean => {
  const lines = sources.find((source) => source.path === path)?.text.split("\n") ?? []
  for (let at = line - 2; at >= 0 && /^\s*(\/\*\*|\*|\/\/)/.test(lines[at] ?? ""); at--)
    if (/\bexported for (tests|declarations)\b/i.test(lines[at] ?? "")) return true
  return false
}

export const unusedExportFindings = (sources: ReadonlyArray<Source>, { unused }: UnusedExports): ReadonlyArray<Finding> =>
  unused
    .filter((one) => !isExcused(sources, one))
    .map(({ line, name, path }) => ({ path, line, message: `${name} is exported and no other file uses it: remove \`export\`, or the code.` }))
