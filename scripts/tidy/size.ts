import type { Diagnostic } from "./oxlint.ts"
import type { Finding, Source } from "./source.ts"

/** Lines that a file and a function may have. What is larger is listed in ratchet.json with its size, and may only shrink. */
const fileLinesMax = 400
const testFileLinesMax = 600
const functionLinesMax = 60

type SizeRatchet = Readonly<Record<string, number>>
/** Sizes over the measure: `path` for a file, `path:name` for a function. */
interface Oversize {
  readonly key: string
  readonly path: string
  readonly line: number
  readonly lines: number
}

export const longFiles = (sources: ReadonlyArray<Source>): ReadonlyArray<Oversize> =>
  sources.flatMap(({ path, text }) => {
    const lines = text.split("\n").length - 1
    return lines > (path.startsWith("test/") ? testFileLinesMax : fileLinesMax) ? [{ key: path, path, line: 1, lines }] : []
  })

/** Functions over the measure, as oxlint counts them (blank lines and comments left out). Tests are read as tables, and are left out. */
export const longFunctions = (diagnostics: ReadonlyArray<Diagnostic>, sources: ReadonlyArray<Source>): ReadonlyArray<Oversize> => {
  const textOf = new Map(sources.map(({ path, text }) => [path, text.split("\n")]))
  const seen = new Map<string, number>()
  return diagnostics
    .filter(({ code }) => code === "eslint(max-lines-per-function)")
    .map(({ message, filename, line }) => {
      // An arrow function has no name of its own: the constant or the property that it is given to names it.
      const name =
        message.match(/`([^`]+)`/)?.[1] ??
        textOf
          .get(filename)
          ?.[line - 1]?.match(/(?:const|let|function\*?)\s+(\w+)|(\w+)\s*[:=(]/)
          ?.slice(1)
          .find(Boolean) ??
        "anonymous"
      const lines = Number(message.match(/\((\d+)\)/)?.[1] ?? message.match(/(\d+)/)?.[1] ?? functionLinesMax + 1)
      const base = `${filename}:${name}`
      const nth = (seen.get(base) ?? 0) + 1
      seen.set(base, nth)
      return { key: nth === 1 ? base : `${base}#${nth}`, path: filename, line, lines }
    })
}

/** What is larger than the ratchet allows, and what it still allows although it has shrunk. */
export const compareSizes = (found: ReadonlyArray<Oversize>, ratchet: SizeRatchet): ReadonlyArray<Finding> => {
  const grown = found
    .filter(({ key, lines }) => lines > (ratchet[key] ?? 0))
    .map(({ key, path, line, lines }) => ({ path, line, message: `${key} has ${lines} lines: split it${ratchet[key] ? ` (it had ${ratchet[key]})` : ""}.` }))
  const slack = Object.entries(ratchet).flatMap(([key, lines]) => {
    const now = found.find((one) => one.key === key)?.lines ?? 0
    return now < lines
      ? [{ path: "scripts/tidy/ratchet.json", line: 1, message: `${key} has shrunk from ${lines} to ${now}: run \`bun scripts/tidy.ts --lower\`.` }]
      : []
  })
  return [...grown, ...slack]
}

/** The ratchet with each size that has become smaller. */
export const loweredSizes = (found: ReadonlyArray<Oversize>, ratchet: SizeRatchet): SizeRatchet => {
  const now = new Map(found.map(({ key, lines }) => [key, lines]))
  return Object.fromEntries(Object.entries(ratchet).flatMap(([key, lines]) => (now.has(key) ? [[key, Math.min(lines, now.get(key) ?? lines)]] : [])))
}
