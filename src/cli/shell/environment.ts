import type { CliApp } from "@effect/cli"
import { FileSystem, Path, Terminal } from "@effect/platform"
import { Effect, Layer } from "effect"

/**
 * What the parser's types ask for. Our options never read files or ask questions while they are parsed, so nothing of a platform has to be loaded
 * for them: that saves a tenth of a second at every start.
 */
export const parserEnvironment: Layer.Layer<CliApp.CliApp.Environment> = Layer.mergeAll(
  Path.layer,
  FileSystem.layerNoop({}),
  Layer.succeed(
    Terminal.Terminal,
    Terminal.Terminal.of({
      columns: Effect.succeed(80),
      rows: Effect.succeed(25),
      isTTY: Effect.succeed(false),
      readInput: Effect.never,
      readLine: Effect.fail(new Terminal.QuitException()),
      display: () => Effect.void
    })
  )
)
