import { Effect, Layer } from "effect"
import type { LogTool } from "../cli/log/tool.ts"

/** The tool over the files of this machine. What it needs is loaded when a command uses it: others start sooner without. */
const loaded = Effect.promise(async () => {
  const [tool, checksum, compression] = await Promise.all([
    import("./log-tool.ts"),
    import("../../adapters/checksum/checksum.ts"),
    import("../../adapters/compression/compression.ts")
  ])
  return Effect.provide(tool.makeLogTool, Layer.merge(checksum.layer, compression.layer))
}).pipe(Effect.flatten)

export const logTool: LogTool = {
  verify: (options) => Effect.flatMap(loaded, ({ verify }) => verify(options)),
  repair: (options) => Effect.flatMap(loaded, ({ repair }) => repair(options)),
  dump: (file, options) => Effect.flatMap(loaded, ({ dump }) => dump(file, options))
}
