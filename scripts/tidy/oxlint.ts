import { spawnSync } from "node:child_process"
import { join } from "node:path"

/** What oxlint says of one place. */
export interface Diagnostic {
  readonly code: string
  readonly message: string
  readonly filename: string
  readonly line: number
}

interface Reported {
  readonly diagnostics: ReadonlyArray<{
    readonly code: string
    readonly message: string
    readonly filename: string
    readonly labels: ReadonlyArray<{ readonly span: { readonly line: number } }>
  }>
}

/** Rules that need a parser and know scopes: functions over their size, and globals of the platform. One run of oxlint over everything but tests; what a rule means for a room is decided by its caller. */
export const runOxlint = (root: string): ReadonlyArray<Diagnostic> => {
  const program = join(import.meta.dir, "../../node_modules/.bin/oxlint")
  const run = spawnSync(program, ["-c", join(import.meta.dir, "oxlintrc.json"), "--format", "json", "domain", "src", "adapters", "scripts"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 26
  })
  const { diagnostics } = JSON.parse(run.stdout) as Reported
  return diagnostics.map(({ code, filename, labels, message }) => ({ code, message, filename, line: labels[0]?.span.line ?? 1 }))
}
