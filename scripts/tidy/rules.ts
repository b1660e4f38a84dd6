import { type Finding, importsOf, type Source } from "./source.ts"

/** Marks of unfinished or unchecked work. */
export const leftovers = (sources: ReadonlyArray<Source>): ReadonlyArray<Finding> =>
  sources
    .filter(({ path }) => !path.startsWith("scripts/tidy/") && !path.startsWith("test/scripts/"))
    .flatMap(({ path, text }) =>
      text.split("\n").flatMap((line, at) => {
        const comment = /^\s*(\/\/|\*|\/\*)/.test(line)
        const found = line.match(/\b(TODO|FIXME|XXX)\b|@ts-(ignore|nocheck)/) ?? (comment ? null : line.match(/\bas any\b|\b(test|it|describe)\.(only|todo)\(/))
        return found ? [{ path, line: at + 1, message: `${found[0]}: finish it, or write it down in docs/skipped.md.` }] : []
      })
    )

/** Tests that give themselves less than the test command's own 120 s: on a busy machine their verdict depends on its speed. */
export const shortDeadlines = (sources: ReadonlyArray<Source>): ReadonlyArray<Finding> =>
  sources
    .filter(({ path }) => path.startsWith("test/") && path !== "test/scripts/tidy.test.ts")
    .flatMap(({ path, text }) =>
      text.split("\n").flatMap((line, at) => {
        const deadline = /^\s*(?:\}, *(\d[\d_]*)\)|(\d+_\d+))$/.exec(line)?.slice(1).find(Boolean)?.replaceAll("_", "")
        return deadline !== undefined && Number(deadline) < 120_000
          ? [{ path, line: at + 1, message: `the test has a deadline of ${deadline} ms: leave it out (the test command gives 120000 ms) or give more.` }]
          : []
      })
    )

/** Files that nothing reaches from the programs, the scripts and the tests. */
export const deadFiles = (sources: ReadonlyArray<Source>): ReadonlyArray<Finding> => {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  const isEntry = (path: string) => path.startsWith("src/programs/") || /^scripts\/[^/]+\.ts$/.test(path) || /[.-]test\.ts$/.test(path)
  const reached = new Set<string>()
  const waiting = sources.filter(({ path }) => isEntry(path))
  for (let source = waiting.pop(); source; source = waiting.pop()) {
    if (reached.has(source.path)) continue
    reached.add(source.path)
    for (const { target } of importsOf(source)) {
      const next = byPath.get(target)
      if (next) waiting.push(next)
    }
    // A process that a test or script starts by path is reached too.
    for (const [, named] of source.text.matchAll(/["'`](?:\.\.?\/)*((?:src|scripts|test|adapters)\/[\w./-]+\.ts)["'`]/g)) {
      const next = byPath.get(named ?? "")
      if (next) waiting.push(next)
    }
  }
  return sources
    .filter(({ path }) => !reached.has(path) && !path.endsWith(".d.ts"))
    .map(({ path }) => ({ path, line: 1, message: "nothing imports this file: use it or remove it." }))
}
