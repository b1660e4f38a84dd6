import { Effect, Layer } from "effect"
import type { InspectionFault } from "../../../adapters/log/inspect/inspected-directories.ts"
import type { LogTool } from "../../cli/log/tool.ts"
import { CliFailure } from "../../cli/shell/failure.ts"
import { Checksum } from "../../ports/checksum.ts"
import type { LogFault } from "../../ports/log-store.ts"
import { nodeFailure } from "../node/node-failure.ts"

/**
 * The tool over the files of this machine. Its modules are loaded when a command uses it: other commands start sooner.
 */
const loaded = Effect.promise(async () => {
  const [tool, journals, checksum, compression] = await Promise.all([
    import("../../../adapters/log/inspect/log-tool.ts"),
    import("./journal-inspection.ts"),
    import("../../../adapters/checksum/checksum.ts"),
    import("../../../adapters/compression/compression.ts")
  ])
  const made = Effect.flatMap(Checksum, ({ crc32c }) => tool.makeLogTool(journals.journalInspection(crc32c)))
  return Effect.provide(made, Layer.merge(checksum.layer, compression.layer))
}).pipe(Effect.flatten)

const failure = (fault: InspectionFault | LogFault): CliFailure => {
  if (fault._tag === "LogFault") return nodeFailure(fault)
  const { cause, hint, kind, message } = fault
  if (kind !== "held") return new CliFailure({ exit: kind, message, hint })
  return cause === undefined ? new CliFailure({ exit: "disk", message }) : nodeFailure(cause)
}

/** A directory that a node holds can be verified all the same. */
const verifyFailure = (fault: InspectionFault | LogFault): CliFailure => {
  const { exit, hint, message } = failure(fault)
  const isHeld = fault._tag === "InspectionFault" && fault.kind === "held"
  return new CliFailure({ exit, message, hint: isHeld ? "--force-read reads it as it is; what is being written may then look torn." : hint })
}

export const logTool: LogTool = {
  verify: (options) => Effect.flatMap(loaded, ({ verify }) => Effect.mapError(verify(options), verifyFailure)),
  repair: (options) => Effect.flatMap(loaded, ({ repair }) => Effect.mapError(repair(options), failure)),
  dump: (file, options) => Effect.flatMap(loaded, ({ dump }) => Effect.mapError(dump(file, options), failure))
}
