import { Effect, Either } from "effect"
import type { TopicId } from "../../../domain/kernel/id.ts"
import { type LogDestination, LogFault } from "../../../src/ports/log-store.ts"
import { attempt, faultOf, readSmallFile } from "../disk/disk.ts"
import { type LogDirectory, removeTree } from "../log-directory.ts"
import { recoveryPointFileName } from "../recovery/recovery-point.ts"
import { copiedSuffix, movedSuffix, moveNameOf, movingSuffix } from "./names.ts"

type LeftByLog = ReadonlyMap<string, ReadonlyArray<{ readonly at: LogDirectory; readonly suffix: string }>>

const isWorking = ({ fault }: LogDirectory): boolean => fault() === undefined

/** What moves have left in the directories, by the names of the logs. Names are listed before, so that one directory's error is its own. */
const leftOfMoves = (listed: Iterable<readonly [LogDirectory, ReadonlyArray<string>]>): LeftByLog => {
  const found = new Map<string, Array<{ readonly at: LogDirectory; readonly suffix: string }>>()
  for (const [at, names] of listed)
    for (const name of names) {
      const left = moveNameOf(name)
      if (left === undefined) continue
      const known = found.get(left.log) ?? []
      found.set(left.log, known)
      known.push({ at, suffix: left.suffix })
    }
  return found
}

const rename = ({ disk, path }: LogDirectory, from: string, to: string): Effect.Effect<void, LogFault> =>
  Effect.zipRight(
    attempt(`${path}/${from}`, "rename", () => disk.rename(`${path}/${from}`, `${path}/${to}`)),
    Effect.mapError(disk.syncDirectory(path), (error) => faultOf(path, "sync", error))
  )

const remove = ({ disk, path }: LogDirectory, name: string): Effect.Effect<void, LogFault> =>
  attempt(`${path}/${name}`, "remove", () => removeTree(disk, `${path}/${name}`))

/** No recovery point is larger, bytes. */
const pointBytesMax = 4096

/** The bytes of a log's recovery point, which change with every change of the log. Throws what the disk throws. */
const pointOf = ({ disk, path }: LogDirectory, name: string): string => {
  const file = `${path}/${name}/${recoveryPointFileName}`
  return disk.exists(file) ? readSmallFile(disk, file, pointBytesMax).join() : ""
}

/**
 * The copy that the log left its directory for. A directory that failed in a move, and is back, may have an older one: its
 * recovery point is another. Throws what the disks throw.
 */
const wholeCopy = (name: string, copied: ReadonlyArray<LogDirectory>, moved: ReadonlyArray<LogDirectory>): LogDirectory | undefined => {
  if (copied.length === 0) return undefined
  const points = new Set(moved.map((at) => pointOf(at, `${name}${movedSuffix}`)))
  return copied.find((at) => points.has(pointOf(at, `${name}${copiedSuffix}`)))
}

/** What the moves of one log have left, before the log is opened. Returns whether there is a directory to be removed when it is. */
const settle = (name: string, left: ReadonlyArray<{ readonly at: LogDirectory; readonly suffix: string }>, all: ReadonlyArray<LogDirectory>) =>
  Effect.gen(function* () {
    const working = all.filter(isWorking)
    const having = (suffix: string) => left.filter((each) => each.suffix === suffix).map(({ at }) => at)
    const [moving, copied, moved] = [having(movingSuffix), having(copiedSuffix), having(movedSuffix)]
    let isThere = yield* attempt(name, "look for", () => working.some((each) => each.has(name)))
    const whole = isThere ? undefined : yield* attempt(name, "compare", () => wholeCopy(name, copied, moved))
    if (whole !== undefined) {
      // From here on it has the log's name. The others say what was before.
      yield* rename(whole, `${name}${copiedSuffix}`, name)
      yield* Effect.logInfo(`The log ${name} was being moved to ${whole.path} when this node stopped: the move is finished.`)
      whole.logCount++
      isThere = true
    } else if (isThere)
      // The log is opened, and may be written: a copy that was whole is not any more.
      for (const at of copied) {
        if (at.has(`${name}${movingSuffix}`)) yield* remove(at, `${name}${movingSuffix}`)
        yield* rename(at, `${name}${copiedSuffix}`, `${name}${movingSuffix}`)
      }
    // What the log was before goes when the log is open.
    if (isThere) return moved.length > 0
    // Where a directory is offline, the log may be in it.
    if (working.length < all.length || copied.length + moved.length > 0) return false
    for (const at of moving) yield* remove(at, `${name}${movingSuffix}`)
    return false
  })

/**
 * Finishes the moves of logs whose copies were whole when the process before ended, and ends the others: every log has one
 * directory afterwards. To be called before a log is opened. `failed` is told of a directory that does not work. Returns the names of the logs beside which there
 * is what they were before a move.
 */
export const settleMoves = (
  directories: ReadonlyArray<LogDirectory>,
  failed: (directory: LogDirectory, fault: LogFault) => void
): Effect.Effect<ReadonlySet<string>> =>
  Effect.suspend(() => {
    const listed = new Map<LogDirectory, ReadonlyArray<string>>()
    for (const at of directories.filter(isWorking)) {
      const names = attempt(at.path, "list", () => at.disk.list(at.path))
      if (Either.isRight(names)) listed.set(at, names.right)
      else failed(at, names.left)
    }
    const beside = new Set<string>()
    const work = Effect.forEach(
      leftOfMoves(listed),
      ([name, left]) =>
        Effect.match(settle(name, left, directories), {
          onSuccess: (isBeside) => void (isBeside && beside.add(name)),
          onFailure: (fault) => {
            const at = [...listed.keys()].find(({ path }) => fault.path === path || fault.path.startsWith(`${path}/`))
            if (at !== undefined) failed(at, fault)
          }
        }),
      { discard: true }
    )
    return Effect.as(work, beside)
  })

/** The logs that were being moved when the process before ended. Throws what the disks throw. */
export const interruptedMoves = (directories: ReadonlyArray<LogDirectory>): ReadonlyArray<LogDestination> => {
  const working = directories.filter(isWorking)
  return [...leftOfMoves(working.map((at) => [at, at.disk.list(at.path)] as const))].flatMap(([name, left]) => {
    const at = left.find(({ suffix }) => suffix === movingSuffix)?.at
    const isElsewhere = working.some((each) => each !== at && each.has(name))
    return at === undefined || !isElsewhere ? [] : [{ topicId: name.slice(0, 22) as TopicId, partition: Number(name.slice(23)), path: at.path }]
  })
}

/** The log has no directory, and a move of it is not finished: its records are in a directory that is not there. `undefined` where no move has left anything. */
export const strandedMove = (directories: ReadonlyArray<LogDirectory>, name: string): LogFault | undefined => {
  // What the log was before its last move is newer than the copy of an older one.
  for (const suffix of [movedSuffix, copiedSuffix])
    for (const each of directories)
      if (each.has(`${name}${suffix}`))
        return new LogFault({
          path: `${each.path}/${name}`,
          reason: "corrupt",
          message: `The log ${name} was being moved to another data directory, and only ${each.path}/${name}${suffix} is left of it here. Nothing was changed. Put the other directory back into log.dirs and start this node again. If it is lost, rename ${each.path}/${name}${suffix} to ${each.path}/${name} while the node is stopped: the newest records may be missing then.`
        })
  return undefined
}
