import { Effect, type Scope } from "effect"
import type { CliFailure } from "../shell/failure.ts"
import { type LogFormat, loggerLayer } from "../shell/logger.ts"
import { print, printError, printJson } from "../shell/screen.ts"
import type { Running } from "./roles.ts"

/** Returns at the first SIGTERM or SIGINT. A second one ends the process at once: recovery is the way a node starts anyway. */
const signal: Effect.Effect<string> = Effect.async((resume) => {
  const stop = (name: NodeJS.Signals) => {
    process.once(name, () => process.exit(130))
    resume(Effect.succeed(name))
  }
  process.once("SIGTERM", stop)
  process.once("SIGINT", stop)
  return Effect.sync(() => {
    process.off("SIGTERM", stop)
    process.off("SIGINT", stop)
  })
})

const announce = (running: Running, json: boolean): void => {
  if (json) return printJson({ ready: true, bootstrap: running.nodes.map(({ address }) => address).join(","), nodes: running.nodes })
  for (const { address, id, roles } of running.nodes) print(`${roles.join(" and ")} ${id}: ${address}`)
  print("ready")
}

/** Starts nodes, says where they are, and stops them in good order at a signal. */
export const runNodes = (
  start: Effect.Effect<Running, CliFailure, Scope.Scope>,
  { json, logFormat, notes }: { readonly json: boolean; readonly logFormat: LogFormat; readonly notes: ReadonlyArray<string> }
): Effect.Effect<void, CliFailure> =>
  Effect.scoped(
    Effect.gen(function* () {
      for (const note of notes) yield* Effect.logInfo(note)
      const started = yield* Effect.raceFirst(
        Effect.map(start, (running) => ({ running })),
        Effect.as(signal, undefined)
      )
      if (started === undefined) return
      announce(started.running, json)
      const name = yield* Effect.raceFirst(started.running.stopped, signal)
      printError(`stopping (${name}) …`)
    })
  ).pipe(Effect.provide(loggerLayer(logFormat)))
