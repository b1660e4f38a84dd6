import { Effect } from "effect"
import type { LogFault } from "../../src/ports/log-store.ts"
import { attempt, type Disk, faultOf } from "./disk/disk.ts"
import { type LogDirectory, removedSuffix, removeTree, removeTreeApart } from "./log-directory.ts"

/** What a damaged log's directory is renamed to, the first that is free. A fourth copy replaces the third: damage that repeats fills no disk. */
const setAsideSuffixes = [".damaged", ".damaged.2", ".damaged.3"] as const

/** What the directory of a log is renamed to whose topic the cluster does not have, as Kafka names it. */
const straySuffix = ".stray"

/** What the disk threw, as a fault of `path`. */
const syncing = (disk: Disk, path: string): Effect.Effect<void, LogFault> => Effect.mapError(disk.syncDirectory(path), (error) => faultOf(path, "sync", error))

/** Renames a directory that is to be removed, durably: a start finishes the removal. Then removes it. */
export const removeDirectory = ({ disk, path: root }: LogDirectory, name: string, doomedName: string): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    const doomed = `${root}/${doomedName}${removedSuffix}`
    const path = `${root}/${name}`
    yield* attempt(path, "remove", () => {
      if (disk.exists(doomed)) removeTree(disk, doomed)
      disk.rename(path, doomed)
    })
    yield* syncing(disk, root)
    yield* Effect.mapError(removeTreeApart(disk, doomed), (error) => faultOf(doomed, "remove", error))
    yield* syncing(disk, root)
  })

/** Removes a log from the directory that has it. */
export const removeFrom = (directory: LogDirectory, name: string): Effect.Effect<void, LogFault> =>
  Effect.map(removeDirectory(directory, name, name), () => void directory.logCount--)

/** Removes the damaged logs of that name which were set aside. */
export const removeSetAside = (directory: LogDirectory, name: string): Effect.Effect<void, LogFault> =>
  Effect.forEach(setAsideSuffixes, (suffix) => (directory.has(`${name}${suffix}`) ? removeDirectory(directory, `${name}${suffix}`, name) : Effect.void), {
    discard: true
  })

/** Renames the directory of a damaged log, durably. Returns its new path. */
export const setAside = (directory: LogDirectory, name: string): Effect.Effect<string, LogFault> =>
  Effect.gen(function* () {
    const { disk, path: root } = directory
    const last = setAsideSuffixes[2]
    const suffix = setAsideSuffixes.find((each) => !directory.has(`${name}${each}`))
    if (suffix === undefined) yield* removeDirectory(directory, `${name}${last}`, name)
    const to = `${root}/${name}${suffix ?? last}`
    yield* attempt(to, "rename", () => disk.rename(`${root}/${name}`, to))
    directory.logCount--
    yield* syncing(disk, root)
    return to
  })

/** Renames the directory of a log whose topic the cluster does not have, durably. Returns its new path; undefined, and nothing is changed, where there is one of that name. */
export const setStray = (directory: LogDirectory, name: string): Effect.Effect<string | undefined, LogFault> =>
  Effect.gen(function* () {
    const { disk, path: root } = directory
    const to = `${root}/${name}${straySuffix}`
    if (directory.has(`${name}${straySuffix}`)) return undefined
    yield* attempt(to, "rename", () => disk.rename(`${root}/${name}`, to))
    directory.logCount--
    yield* syncing(disk, root)
    return to
  })
