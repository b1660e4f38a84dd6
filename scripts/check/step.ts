/** One part of the check: what it is called, and the command that runs it alone. */
interface Step {
  readonly name: string
  readonly command: ReadonlyArray<string>
}

const bin = (name: string) => `node_modules/.bin/${name}`

const checkSteps: ReadonlyArray<Step> = [
  { name: "format (biome)", command: [bin("biome"), "check", "--diagnostic-level=warn", "."] },
  { name: "lint (oxlint)", command: [bin("oxlint")] },
  { name: "types (tsc)", command: [bin("tsc"), "--noEmit"] },
  // A public declaration must have its type written out; `--no-check` since the step before has checked the types.
  { name: "public types (deno publish)", command: [bin("deno"), "publish", "--dry-run", "--allow-dirty", "--no-check", "--quiet"] },
  { name: "tidy", command: [process.execPath, "scripts/tidy.ts"] }
]

interface StepResult {
  readonly name: string
  readonly ok: boolean
  readonly seconds: number
  readonly output: string
}

const runStep = async (root: string, { command, name }: Step): Promise<StepResult> => {
  const started = performance.now()
  const child = Bun.spawn([...command], { cwd: root, stdin: "ignore", stdout: "pipe", stderr: "pipe" })
  const [stdout, stderr, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
  return { name, ok: code === 0, seconds: (performance.now() - started) / 1000, output: `${stdout}${stderr}`.trimEnd() }
}

/** Runs all steps at the same time, also where one fails; tells each in its order. */
export const runSteps = async (root: string, told: (result: StepResult) => void): Promise<void> => {
  for (const running of checkSteps.map((step) => runStep(root, step))) told(await running)
}
