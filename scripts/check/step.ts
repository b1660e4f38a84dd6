import { spawnSync } from "node:child_process"

/** One part of the check: what it is called, and the command that runs it alone. */
interface Step {
  readonly name: string
  readonly command: ReadonlyArray<string>
}

const bin = (name: string) => `node_modules/.bin/${name}`

export const checkSteps: ReadonlyArray<Step> = [
  { name: "format (biome)", command: [bin("biome"), "check", "--diagnostic-level=warn", "."] },
  { name: "lint (oxlint)", command: [bin("oxlint")] },
  { name: "types (tsc)", command: [bin("tsc"), "--noEmit"] },
  // A public declaration must have its type written out; `--no-check` since the step before has checked the types.
  { name: "public types (deno publish)", command: [bin("deno"), "publish", "--dry-run", "--allow-dirty", "--no-check", "--quiet"] },
  { name: "tidy", command: [process.execPath, "scripts/tidy.ts"] }
]

export const runStep = (root: string, { command }: Step): { readonly ok: boolean; readonly seconds: number; readonly output: string } => {
  const [program = "", ...args] = command
  const started = performance.now()
  const run = spawnSync(program, args, { cwd: root, encoding: "utf8", maxBuffer: 1 << 26 })
  return {
    ok: run.status === 0,
    seconds: (performance.now() - started) / 1000,
    output: `${run.stdout ?? ""}${run.stderr ?? ""}${run.error ? String(run.error) : ""}`.trimEnd()
  }
}
