import { readFileSync } from "node:fs"
import { Either } from "effect"
import { FilePool } from "../disk/file-pool.ts"

/** Where the limit cannot be read: half of what every system gives at least. */
const filesMaxUnknown = 128
/** More are of no use: that many handles are kilobytes of the kernel each. */
const filesMaxMost = 32_768

/** `RLIMIT_NOFILE` of this process; undefined where the system does not say (anything but Linux). */
export const filesLimit = (): number | undefined => {
  const limits = Either.getOrUndefined(Either.try(() => readFileSync("/proc/self/limits", "utf8")))
  const found = /^Max open files +(\d+|unlimited)/m.exec(limits ?? "")?.[1]
  return found === undefined ? undefined : found === "unlimited" ? Number.POSITIVE_INFINITY : Number(found)
}

/** What logs may have open of a process's descriptors: five eighths, since connections need the others (`max.connections`); at most 32,768. A circle over more partitions opens a file for each batch. */
export const filesMaxFor = (limit: number | undefined): number => (limit === undefined ? filesMaxUnknown : Math.min(filesMaxMost, Math.floor((limit * 5) / 8)))

/** The limit is the process's, so the pool is too, whatever the number of its stores. It stands here for the same reason as the locks do. */
let pool: FilePool | undefined

/** The pool of this process, sized when the first store opens: by `filesMax`, or by the process's limit. */
export const processPool = (filesMax: number = filesMaxFor(filesLimit())): FilePool => {
  pool ??= new FilePool(filesMax)
  return pool
}

/** Files that logs hold open now, and how many they may. */
export const poolFigures = (): { readonly logFiles: number; readonly logFilesMax: number } => ({
  logFiles: pool?.openCount ?? 0,
  logFilesMax: pool?.filesMax ?? 0
})
