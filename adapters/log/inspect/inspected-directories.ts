import { realpathSync } from "node:fs"
import { resolve } from "node:path"
import process from "node:process"
import { Data, Effect, type Scope } from "effect"
import { metadataTopicId } from "../../../domain/cluster/topic/name.ts"
import type { DirectoryLocked, LogFault } from "../../../src/ports/log-store.ts"
import { readOnly } from "../disk/disk.ts"
import { type HeldDirectory, holdDirectory } from "../file/directory-lock.ts"
import { nodeDisk } from "../file/node-disk.ts"
import { type DataDirectory, dataDirectories, mayBeHeld } from "./data-directories.ts"

/**
 * A tool over logs cannot do its work. "usage": the path is not what the tool expects, and `hint` says what it expects;
 * "disk": the path cannot be read; "held": the directory is not free, and `cause` says why.
 */
export class InspectionFault extends Data.TaggedError("InspectionFault")<{
  readonly kind: "usage" | "disk" | "held"
  readonly message: string
  readonly hint?: string
  readonly cause?: DirectoryLocked | LogFault
}> {}

/** This machine's disk without the methods that change it. */
export const inspectedDisk = readOnly(nodeDisk)

/** Runs plain disk methods; an error that they throw ends the inspection. */
export const reading = <A>(path: string, run: () => A): Effect.Effect<A, InspectionFault> =>
  Effect.try({
    try: run,
    catch: (error) => new InspectionFault({ kind: "disk", message: `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}` })
  })

/** The data directories below a path, those with a leader's journal first: it has the names of the topics. */
export const inspectedDirectories = (directory: string): Effect.Effect<ReadonlyArray<DataDirectory>, InspectionFault> =>
  Effect.gen(function* () {
    const path = resolve(directory)
    if (!inspectedDisk.exists(path)) return yield* new InspectionFault({ kind: "usage", message: `There is no directory ${path}.` })
    const found = yield* reading(path, () => dataDirectories(inspectedDisk, path))
    if (found.length === 0)
      return yield* new InspectionFault({
        kind: "usage",
        message: `${path} holds no logs.`,
        hint: "Expected what --data of a node names, the directory of `franz up` with leader/ and broker-N/ in it, or one partition's directory."
      })
    const isLeader = ({ logs }: DataDirectory): boolean => logs.some(({ topicId }) => topicId === metadataTopicId)
    return [...found.filter(isLeader), ...found.filter((one) => !isLeader(one))]
  })

/** Locks a data directory, as a node does, until the scope closes. */
export const holdInspected = (directory: string): Effect.Effect<HeldDirectory, InspectionFault, Scope.Scope> =>
  Effect.suspend(() =>
    holdDirectory({
      disk: nodeDisk,
      directory,
      realPath: realpathSync(directory),
      processId: process.pid,
      withFile: mayBeHeld(inspectedDisk, directory)
    })
  ).pipe(Effect.mapError((cause) => new InspectionFault({ kind: "held", message: cause.message, cause })))
