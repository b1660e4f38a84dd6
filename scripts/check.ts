/** `./franz check`: format, lint, types and the rules of the house. Every step runs even if one before it failed; exits 1 if any did. */
import { join } from "node:path"
import { runSteps } from "./check/step.ts"

const root = join(import.meta.dir, "..")
let failed = 0
await runSteps(root, ({ name, ok, output, seconds }) => {
  console.log(`${ok ? "ok  " : "FAIL"} ${name} (${seconds.toFixed(1)} s)`)
  if (ok) return
  failed++
  console.log(output)
})
process.exit(failed === 0 ? 0 : 1)
