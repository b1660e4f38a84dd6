import { Effect } from "effect"
import { CliFailure } from "../shell/failure.ts"
import { table } from "../shell/screen.ts"
import type { ClientFault } from "./failure.ts"
import { clientFailure } from "./failure.ts"

/**
 * Runs an effect for every name, one after another. A failure does not stop the others; all failures are reported at
 * the end.
 */
export const forEachName = <R>(
  names: ReadonlyArray<string>,
  run: (name: string) => Effect.Effect<void, ClientFault | CliFailure, R>
): Effect.Effect<void, CliFailure, R> =>
  Effect.gen(function* () {
    const failures: Array<CliFailure> = []
    for (const name of new Set(names)) {
      yield* Effect.catchAll(run(name), (fault: ClientFault | CliFailure) =>
        Effect.sync(() => void failures.push(fault._tag === "CliFailure" ? fault : clientFailure(fault)))
      )
    }
    const [first] = failures
    if (first === undefined) return
    const hints = [...new Set(failures.flatMap(({ hint }) => (hint === undefined ? [] : [hint])))]
    return yield* new CliFailure({
      exit: first.exit,
      message: failures.map(({ message }) => message).join("\n"),
      hint: hints.length === 0 ? undefined : hints.join("\n")
    })
  })

/** A table, indented under its heading. */
export const indented = (heads: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string | number>>): ReadonlyArray<string> =>
  table(heads, rows).map((line) => `  ${line}`)

export const count = (number: number, one: string, many = `${one}s`): string => `${number} ${number === 1 ? one : many}`
