import { Effect } from "effect"
import manifest from "../../package.json" with { type: "json" }
import { parserEnvironment } from "../cli/shell/environment.ts"
import { endWithReader } from "../cli/shell/screen.ts"
import { type Program, runProgram } from "../cli/shell/shell.ts"

/** Runs the program that the process is, and ends the process with its exit code once what was printed has left. */
export const main = (of: Omit<Program<never>, "version">): void => {
  endWithReader()
  const run = runProgram({ ...of, version: manifest.version }, process.argv.slice(2)).pipe(Effect.provide(parserEnvironment))
  Effect.runCallback(run, {
    onExit: (exit) => {
      process.exitCode = exit._tag === "Success" ? exit.value : 70
      process.stdout.write("", () => process.exit())
    }
  })
}
