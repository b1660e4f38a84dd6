import { Effect } from "effect"
import type { LogFault } from "../../../src/ports/log-store.ts"
import { removeDirectory } from "../leaving-logs.ts"
import type { LogDirectory } from "../log-directory.ts"
import { copiedSuffix, movingSuffix } from "./names.ts"

/** The endings of the names that the copy of a log has. */
export const copySuffixes: ReadonlyArray<string> = [movingSuffix, copiedSuffix]

/** Removes what moves of the log have left in a directory, durably: all copies, or those of these names. The log itself stays. */
export const removeCopies = (directory: LogDirectory, name: string, suffixes = copySuffixes): Effect.Effect<void, LogFault> =>
  Effect.forEach(suffixes, (suffix) => (directory.has(`${name}${suffix}`) ? removeDirectory(directory, `${name}${suffix}`, `${name}${suffix}`) : Effect.void), {
    discard: true
  })
