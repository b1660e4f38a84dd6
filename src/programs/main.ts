import { Effect, RuntimeFlags, RuntimeFlagsPatch } from "effect"
import manifest from "../../package.json" with { type: "json" }
import { exitCodes } from "../cli/shell/failure.ts"
import { watchOutputs, whenWritten } from "../cli/shell/screen.ts"
import { type Program, runProgram } from "../cli/shell/shell.ts"
import { keepInterruption } from "../ports/kept-interruption.ts"

/** Effect's own metrics of fibers, which the node's metrics leave out, cost each fiber two updates and the start 5 ms. */
const withoutFiberMetrics = RuntimeFlagsPatch.disable(RuntimeFlags.RuntimeMetrics)

/** Runs the program of this process, and ends the process with its exit code after its output was written. */
export const main = (of: Omit<Program<never>, "version">): void => {
  watchOutputs()
  const run = Effect.zipRight(keepInterruption, runProgram({ ...of, version: manifest.version }, process.argv.slice(2)))
  Effect.runCallback(Effect.withRuntimeFlagsPatch(run, withoutFiberMetrics), {
    onExit: (exit) => {
      const code = exit._tag === "Success" ? exit.value : exitCodes.internal
      whenWritten((fault) => process.exit(fault === undefined ? code : exitCodes.disk))
    }
  })
}
