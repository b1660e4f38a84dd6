import { type Clock, Effect } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { type LogDestination, LogFault, type LogMoves } from "../../../src/ports/log-store.ts"
import { attempt } from "../disk/disk.ts"
import { removeDirectory } from "../leaving-logs.ts"
import type { LogCore } from "../log-core.ts"
import type { LogDirectory } from "../log-directory.ts"
import { readRecoveryPoint } from "../recovery/recovery-point.ts"
import { removeCopies } from "./copies.ts"
import type { MoveOfLog } from "./log-move.ts"
import { MovePace } from "./move-pace.ts"
import { movedSuffix, movingSuffix } from "./names.ts"
import { interruptedMoves } from "./unfinished.ts"

/** Logs whose directory is remembered before they are made. */
const preferredMax = 10_000

const refused = (path: string, message: string, reason: LogFault["reason"] = "io"): LogFault => new LogFault({ path, reason, message })

const nameOf = ({ partition, topicId }: Omit<LogDestination, "path">): string => `${topicId}-${partition}`

/** The moves of a store's logs between its directories. */
export class MovesOfStore implements LogMoves {
  private readonly moving = new Map<string, MoveOfLog>()
  private readonly preferred = new Map<string, string>()
  private readonly pace: MovePace
  private readonly beside: Set<string>
  /** Logs that have another directory, and were not opened since. */
  private readonly placed = new Set<string>()

  constructor(
    private readonly directories: ReadonlyArray<LogDirectory>,
    private readonly openLogs: ReadonlyMap<string, { readonly core: LogCore; readonly at: LogDirectory }>,
    clock: Clock.Clock,
    private readonly crc32c: Crc32c,
    /** Logs beside which there may be what they were before a move. */
    beside: ReadonlySet<string>
  ) {
    this.pace = new MovePace(clock)
    this.beside = new Set(beside)
  }

  readonly begin: LogMoves["begin"] = (destination, bytesPerSecondMax) =>
    Effect.gen(this, function* () {
      // Few nodes move logs, and every start would load what copies them.
      const { MoveOfLog } = yield* Effect.promise(() => import("./log-move.ts"))
      const { path } = destination
      const name = nameOf(destination)
      const open = this.openLogs.get(name)
      const to = this.directories.find((each) => each.path === path)
      const fault = to?.fault()
      if (to === undefined) return yield* refused(path, `${path} is none of the data directories of this node.`)
      if (fault !== undefined) return yield* fault
      if (open === undefined) return yield* refused(name, `The log ${name} is not open, so it is not moved.`)
      if (open.at === to) return yield* refused(path, `The log ${name} is in ${path} already.`)
      if (this.moving.has(name)) return yield* refused(name, `The log ${name} is being moved already.`)
      const parts = {
        name,
        core: open.core,
        from: open.at,
        to,
        pace: this.pace,
        bytesPerSecondMax,
        isOpen: () => this.openLogs.get(name)?.at === to,
        placed: () => void this.placed.add(name),
        kept: () => void this.beside.add(name),
        over: () => void this.moving.delete(name)
      }
      yield* this.removeLeft(name)
      yield* attempt(path, "copy a log to", () => to.disk.makeDirectory(`${path}/${name}${movingSuffix}`))
      const move = new MoveOfLog(parts)
      this.moving.set(name, move)
      return move
    }).pipe(Effect.uninterruptible)

  /** Removes what moves of the log have left: all that is found later belongs to the one that is under way. */
  removeLeft(name: string): Effect.Effect<void, LogFault> {
    return Effect.forEach(
      this.directories.filter(({ fault }) => fault() === undefined),
      (each) =>
        Effect.zipRight(
          removeCopies(each, name),
          Effect.suspend(() => (each.has(`${name}${movedSuffix}`) ? removeDirectory(each, `${name}${movedSuffix}`, `${name}${movedSuffix}`) : Effect.void))
        ),
      { discard: true }
    )
  }

  readonly interrupted: LogMoves["interrupted"] = Effect.suspend(() => attempt("log.dirs", "list", () => interruptedMoves(this.directories)))

  readonly directoryOf: LogMoves["directoryOf"] = (topicId, partition) => {
    const name = nameOf({ topicId, partition })
    return this.openLogs.get(name)?.at.path ?? this.directories.find((each) => each.has(name))?.path
  }

  readonly prefer: LogMoves["prefer"] = ({ path, ...log }) => {
    const name = nameOf(log)
    this.preferred.delete(name)
    this.preferred.set(name, path)
    const [oldest] = this.preferred.keys()
    if (this.preferred.size > preferredMax && oldest !== undefined) this.preferred.delete(oldest)
  }
  /** The directory that a new log is to be made in, if it works. It is asked for once. */
  takePreferred(name: string): LogDirectory | undefined {
    const path = this.preferred.get(name)
    this.preferred.delete(name)
    return this.directories.find((each) => each.path === path && each.fault() === undefined)
  }

  /** Whether the log is opened for the first time since it was moved: a move closes a log for a moment, and nothing of it is recovered. Asked once. */
  takePlaced(name: string): boolean {
    return this.placed.delete(name)
  }

  /** Whether `opened` is to be called when the log is open. */
  hasBeside(name: string): boolean {
    return this.beside.has(name)
  }
  /** The log is open, and ends at `end`: what it was before a move is removed, unless that has records which the log lacks. */
  opened(name: string, end: Offset): Effect.Effect<void> {
    this.beside.delete(name)
    const old = `${name}${movedSuffix}`
    const remove = (at: LogDirectory): Effect.Effect<void, LogFault> =>
      Effect.flatMap(
        attempt(at.path, "look for", () => (at.has(old) ? (readRecoveryPoint(at.disk, `${at.path}/${old}`, this.crc32c)?.offset ?? 0) : undefined)),
        (oldEnd) => {
          if (oldEnd === undefined) return Effect.void
          if (oldEnd <= end) return removeDirectory(at, old, old)
          return Effect.logWarning(
            `The log ${name} ends at offset ${end}, and ${at.path}/${old}, which it was before it was moved, at ${oldEnd}. That directory is kept: look whether its records are needed, then remove it.`
          )
        }
      )
    return Effect.forEach(
      this.directories,
      (at) => Effect.catchAll(remove(at), ({ message }) => Effect.logWarning(`${at.path}/${old} is not removed: ${message}`)),
      {
        discard: true
      }
    )
  }

  /** The log is removed, or its directory is renamed: its move is over. */
  end(name: string): Effect.Effect<void, LogFault> {
    return Effect.suspend(() => {
      this.moving.get(name)?.end()
      this.placed.delete(name)
      return this.removeLeft(name)
    })
  }
}
