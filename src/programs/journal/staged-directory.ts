import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { groupMetadataTopicId } from "../../../domain/cluster/topic/group-metadata.ts"
import { metadataTopicId } from "../../../domain/cluster/topic/name.ts"
import { LogFault } from "../../ports/log-store.ts"

/** Where a journal is written before it is whole, below the directory that it is for. */
const stageOf = (directory: string): string => join(directory, "journal-copy")
/** Where the files of a journal are that was moved to another engine, below the directory that it was in. */
const movedOf = (directory: string): string => join(directory, "moved-journal")

/** The file below it that names the place. */
const note = "moved-to.txt"

const attempt = <A>(path: string, work: () => A): Effect.Effect<A, LogFault> =>
  Effect.try({
    try: work,
    catch: (cause) => new LogFault({ path, reason: "io", message: `${path}: ${cause instanceof Error ? cause.message : String(cause)}`, cause })
  })

const synced = (directory: string): void => {
  const open = openSync(directory, "r")
  fsyncSync(open)
  closeSync(open)
}
const namesIn = (directory: string): ReadonlyArray<string> => (existsSync(directory) ? readdirSync(directory) : [])

/** The files of a journal in a directory, relative to it: those of the groups first, and the log of the cluster last. */
const journalFiles = (directory: string): ReadonlyArray<string> => {
  const checkpoints = namesIn(join(directory, "checkpoints")).filter((name) => name.startsWith("journal-"))
  const logs = namesIn(directory).filter((name) => name.startsWith(`${groupMetadataTopicId}-`))
  const cluster = `${metadataTopicId}-0`
  return [...checkpoints.map((name) => join("checkpoints", name)), ...logs, ...(existsSync(join(directory, cluster)) ? [cluster] : [])]
}

/** Moves the files of a journal from one directory to another. Each step is a rename; the log of the cluster comes first or last. */
const moveFiles = (from: string, to: string, files: ReadonlyArray<string>): void => {
  mkdirSync(join(to, "checkpoints"), { recursive: true })
  for (const file of files) renameSync(join(from, file), join(to, file))
  for (const directory of [join(to, "checkpoints"), to, from]) synced(directory)
}

/** Makes room for a journal in a directory that has none. What a copy left that was interrupted is removed. Returns where to write it. */
export const stage = (directory: string): Effect.Effect<string, LogFault> =>
  Effect.flatMap(
    attempt(directory, () => {
      const staged = stageOf(directory)
      const files = journalFiles(directory)
      // The files of a copy that ended between two renames.
      const isInterrupted = existsSync(staged) && !existsSync(join(directory, `${metadataTopicId}-0`))
      if (files.length > 0 && !isInterrupted) return files[0]
      for (const file of files) rmSync(join(directory, file), { recursive: true })
      rmSync(staged, { recursive: true, force: true })
      mkdirSync(staged, { recursive: true, mode: 0o750 })
      return undefined
    }),
    (found) =>
      found === undefined
        ? Effect.succeed(stageOf(directory))
        : new LogFault({
            path: directory,
            reason: "io",
            message: `${directory} has a journal (${found}). Nothing was changed. Name another directory.`
          })
  )

/** Gives a journal that is whole its place. A node finds all of it, or none. */
export const unstage = (directory: string): Effect.Effect<void, LogFault> =>
  attempt(directory, () => {
    const staged = stageOf(directory)
    moveFiles(staged, directory, journalFiles(staged))
    rmSync(staged, { recursive: true })
  })

/** Takes a journal out of a directory: no node leads with it any more. The files are kept, with a note of where the journal is. */
export const setMoved = (directory: string, to: string): Effect.Effect<void, LogFault> =>
  attempt(directory, () => {
    let moved = movedOf(directory)
    // An earlier move, which another one has undone.
    for (let n = 2; existsSync(moved); n++) moved = `${movedOf(directory)}-${n}`
    if (moved !== movedOf(directory)) renameSync(movedOf(directory), moved)
    moved = movedOf(directory)
    mkdirSync(moved)
    writeFileSync(join(moved, note), `${to}\n`)
    moveFiles(directory, moved, journalFiles(directory).toReversed())
  })

/** Where the journal of a directory was moved; undefined where it was not. */
export const movedTo = (directory: string): string | undefined => {
  const found = join(movedOf(directory), note)
  return existsSync(found) ? readFileSync(found, "utf8").trim() : undefined
}
