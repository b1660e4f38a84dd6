/** `./franz check`: format, lint, types and the rules of the house. Every step runs even if one before it failed; exits 1 if any did. */
import { join } from "node:path"
import { checkSteps, runStep } from "./check/step.ts"

const root = join(import.meta.dir, "..")
let failed = 0
for (const step of checkSteps) {
  const { ok, seconds, output } = runStep(root, step)
  console.log(`${ok ? "ok  " : "FAIL"} ${step.name} (${seconds.toFixed(1)} s)`)
  if (!ok) {
    failed++
    console.log(output)
  }
}
process.exit(failed === 0 ? 0 : 1)
