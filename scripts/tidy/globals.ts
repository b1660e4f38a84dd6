import { laws } from "./import-law.ts"
import { lex } from "./lexer.ts"
import type { Diagnostic } from "./oxlint.ts"
import { type Finding, importsOf, type Source } from "./source.ts"

/** Globals that tell the time, wait, or draw: in every room but adapters/clock they come from Effect's Clock and Random, or as data. Secrets are drawn in adapters/cryptography. */
const timers = new Set(["setTimeout", "setInterval", "clearTimeout", "clearInterval"])
const advice = "time and chance come from Effect's Clock and Random, or as data."

const judge = ({ code, message, filename }: Diagnostic): string | undefined => {
  if (filename.startsWith("scripts/") || filename.startsWith("test/")) return undefined
  if (code === "eslint(no-restricted-properties)") {
    const name = message.match(/'([^']+)'/)?.[1] ?? message
    const allowed = name.startsWith("crypto.") ? "adapters/cryptography/" : "adapters/clock/"
    return filename.startsWith(allowed) ? undefined : `${name}: ${advice}`
  }
  const name = message.match(/'([^']+)'/)?.[1] ?? message
  const law = laws.find(({ room }) => room.test(filename))
  if (law?.packages !== undefined)
    return `${name}: globals of the platform belong to adapters, the command line and programs (import law, docs/architecture.md).`
  return timers.has(name) && !filename.startsWith("adapters/clock/") ? `${name}: ${advice}` : undefined
}

/** Globals of the platform in rooms that may not know it. oxlint finds them by their scope, so that a parameter or a property of the same name is none. */
export const platformGlobals = (diagnostics: ReadonlyArray<Diagnostic>): ReadonlyArray<Finding> =>
  diagnostics.flatMap((diagnostic) => {
    if (!/no-restricted-(globals|properties)/.test(diagnostic.code)) return []
    const message = judge(diagnostic)
    return message === undefined ? [] : [{ path: diagnostic.filename, line: diagnostic.line, message }]
  })

/** Modules of the platform that have timers or chance under other names than the globals: what of them is meant, and the one room that may import it. */
const modules: ReadonlyArray<readonly [module: RegExp, names: RegExp, room: string]> = [
  [/^(node:)?timers(\/promises)?$/, /\b(setTimeout|setInterval|clearTimeout|clearInterval|scheduler)\b|\*/, "adapters/clock/"],
  [/^(node:)?perf_hooks$/, /./, "adapters/clock/"],
  [/^(node:)?crypto$/, /\b(random\w+|getRandomValues|webcrypto)\b|\*/, "adapters/cryptography/"]
]

/** Time and chance that a file imports from a module of the platform. */
export const importedTime = (sources: ReadonlyArray<Source>): ReadonlyArray<Finding> =>
  sources
    .filter(({ path }) => /^(domain|src|adapters)\//.test(path))
    .flatMap((source) =>
      importsOf(source).flatMap(({ line, names, specifier }) => {
        const found = modules.find(([module, meant, room]) => module.test(specifier) && meant.test(names) && !source.path.startsWith(room))
        return found === undefined ? [] : [{ path: source.path, line, message: `${names.trim()} of ${specifier}: ${advice}` }]
      })
    )

/** The clock read by `new Date()`, which no rule of oxlint knows. */
export const dateNow = (sources: ReadonlyArray<Source>): ReadonlyArray<Finding> =>
  sources
    .filter(({ path, text }) => /^(domain|src|adapters)\//.test(path) && !path.startsWith("adapters/clock/") && text.includes("new Date()"))
    .flatMap(({ path, text }) =>
      lex(text)
        .code.split("\n")
        .flatMap((line, at) => (line.includes("new Date()") ? [{ path, line: at + 1, message: `new Date(): ${advice}` }] : []))
    )
