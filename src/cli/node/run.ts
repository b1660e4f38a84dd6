import { Effect, type Scope } from "effect"
import type { CliFailure } from "../shell/failure.ts"
import { type LogFormat, loggerLayer } from "../shell/logger.ts"
import { print, printJson, untilOutputEnds } from "../shell/screen.ts"
import { nodeStopSignal } from "../shell/signal.ts"
import type { Running } from "./roles.ts"

const announce = (running: Running, json: boolean): void => {
  if (json)
    return printJson({
      ready: true,
      bootstrap: running.nodes.map(({ address }) => address).join(","),
      nodes: running.nodes,
      ...(running.journal === undefined ? {} : { journal: running.journal })
    })
  for (const { address, id, listeners = {}, roles } of running.nodes) {
    print(`${roles.join(" and ")} ${id}: ${address}`)
    for (const [name, other] of Object.entries(listeners)) print(`  ${name}: ${other}`)
  }
  if (running.journal !== undefined) print(`journal: ${running.journal}`)
  print("ready")
}

/** Starts nodes, prints their addresses, and closes them at a signal. */
export const runNodes = (
  start: Effect.Effect<Running, CliFailure, Scope.Scope>,
  {
    json,
    logFormat,
    notes,
    warnings
  }: { readonly json: boolean; readonly logFormat: LogFormat; readonly notes: ReadonlyArray<string>; readonly warnings: ReadonlyArray<string> }
): Effect.Effect<void, CliFailure> =>
  Effect.scoped(
    Effect.gen(function* () {
      // A node continues when the reader of its output has closed the pipe.
      yield* Effect.forkScoped(untilOutputEnds)
      for (const note of notes) yield* Effect.logInfo(note)
      for (const warning of warnings) yield* Effect.logWarning(warning)
      const started = yield* Effect.raceFirst(
        Effect.map(start, (running) => ({ running })),
        Effect.as(nodeStopSignal, undefined)
      )
      if (started === undefined) return
      announce(started.running, json)
      const name = yield* Effect.raceFirst(started.running.stopped, nodeStopSignal)
      yield* Effect.logInfo(`stopping (${name}) …`)
    })
  ).pipe(Effect.provide(loggerLayer(logFormat)))
