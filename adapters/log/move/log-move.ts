import { Effect, Either } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import { LogFault, type LogMove } from "../../../src/ports/log-store.ts"
import { attempt, faultOf } from "../disk/disk.ts"
import { removeDirectory } from "../leaving-logs.ts"
import type { LogCore } from "../log-core.ts"
import type { LogDirectory } from "../log-directory.ts"
import { copySuffixes, removeCopies } from "./copies.ts"
import { LogCopy } from "./log-copy.ts"
import type { MovePace } from "./move-pace.ts"
import { copiedSuffix, movedSuffix, movingSuffix } from "./names.ts"

interface MovedLog {
  readonly name: string
  readonly core: LogCore
  readonly from: LogDirectory
  readonly to: LogDirectory
  readonly pace: MovePace
  readonly bytesPerSecondMax: () => number
  /** Whether the log is open in its new directory. */
  readonly isOpen: () => boolean
  /** The log has its new directory. */
  readonly placed: () => void
  /** What the log was before is kept until it is open. */
  readonly kept: () => void
  /** The move is over: another one may begin. */
  readonly over: () => void
}

const closedBadly = (directory: string): LogFault =>
  new LogFault({ path: directory, reason: "io", message: `${directory} was not closed in order, so that its copy is not taken for it.` })

const unopened = (path: string, old: string): LogFault =>
  new LogFault({
    path,
    reason: "io",
    message: `${path} is not open, so that ${old} is kept until it is. If it is damaged, put ${old} in its place while the node is stopped.`
  })

const renamed = ({ disk, path: root }: LogDirectory, from: string, to: string): Either.Either<void, LogFault> =>
  attempt(`${root}/${from}`, "rename", () => disk.rename(`${root}/${from}`, `${root}/${to}`))

const namesSynced = ({ disk, path }: LogDirectory): Effect.Effect<void, LogFault> =>
  Effect.mapError(disk.syncDirectory(path), (error) => faultOf(path, "sync", error))

/** The recovery point of a log that is closed is durable, as its copy has it. */
const pointSynced = ({ directory, parts: { disk, recoveryPoint } }: LogCore): Effect.Effect<void, LogFault> =>
  Effect.zipRight(recoveryPoint.sync, disk.syncDirectory(directory)).pipe(
    Effect.mapError((error) => faultOf(recoveryPoint.path, "sync", error)),
    // A log leaves a full disk all the same. After a power cut the operator may have to finish the move.
    Effect.catchIf(
      ({ reason }) => reason === "full",
      () => Effect.void
    ),
    Effect.ensuring(Effect.sync(() => attempt(recoveryPoint.path, "close", () => recoveryPoint.close())))
  )

/** The move of a log whose copy is begun. */
export class MoveOfLog implements LogMove {
  private readonly log: LogCopy
  private isMoved = false

  constructor(private readonly parts: MovedLog) {
    const { core, name, to } = parts
    this.log = new LogCopy(core, to.disk, `${to.path}/${name}${movingSuffix}`)
    core.copy = this.log
  }

  readonly copiedEnd = (): Offset => this.log.endOffset
  readonly copiedBytes = (): number => this.log.sizeInBytes

  readonly copy: Effect.Effect<void, LogFault> = Effect.suspend(() => {
    const { bytesPerSecondMax, pace, to } = this.parts
    return Effect.flatMap(to.fault() ?? this.log.slice(pace.sliceBytes(bytesPerSecondMax())), (bytes) => {
      if (bytes === undefined) return Effect.void
      pace.spend(bytes)
      return Effect.zipRight(pace.rest(bytesPerSecondMax), this.copy)
    })
  })

  /**
   * The steps of a move, each durable before the next one: the copy is whole, and says so by its name (`.copied`); the log
   * leaves its directory (`.moved`): from here on the copy is the log; the copy gets the log's name. A start that finds a log
   * under its name ends the move; one that finds none, and both of the others, finishes it (`unfinished.ts`).
   */
  readonly finish: Effect.Effect<void, LogFault> = Effect.suspend(() => {
    const { core, from, name, placed, to } = this.parts
    if (!core.isClosedWell) return closedBadly(core.directory)
    // No log is opened in a directory that is offline, whatever took it offline.
    const mayBeThere = Effect.suspend(() => to.fault() ?? Effect.void)
    const [moving, copied, moved] = [movingSuffix, copiedSuffix, movedSuffix].map((suffix) => `${name}${suffix}`) as [string, string, string]
    return Effect.gen(this, function* () {
      yield* mayBeThere
      yield* this.log.rest
      // By it a start tells the copy of this log from an older one.
      yield* pointSynced(core)
      yield* renamed(to, moving, copied)
      yield* namesSynced(to)
      yield* mayBeThere
      yield* renamed(from, name, moved)
      yield* namesSynced(from)
      const named = renamed(to, copied, name)
      if (Either.isLeft(named)) {
        // Of a device that fails it is unknown whether it has renamed the copy: the log is offline with it, and the next start finds out.
        if (to.fault() !== undefined) return yield* named.left
        // The log stays where it was. Where that fails, too, it has no name, and is not opened.
        yield* renamed(from, moved, name)
        yield* namesSynced(from)
        return yield* named.left
      }
      from.logCount--
      to.logCount++
      this.isMoved = true
      placed()
      yield* namesSynced(to)
      this.end()
    })
  }).pipe(Effect.uninterruptible)

  readonly removeOld: Effect.Effect<void, LogFault> = Effect.suspend(() => {
    const { from, isOpen, kept, name, to } = this.parts
    const old = `${name}${movedSuffix}`
    if (!from.has(old)) return Effect.void
    if (isOpen()) return removeDirectory(from, old, old)
    kept()
    return unopened(`${to.path}/${name}`, `${from.path}/${old}`)
  }).pipe(Effect.uninterruptible)

  readonly cancel: Effect.Effect<void, LogFault> = Effect.suspend(() => {
    const { from, name, to } = this.parts
    this.log.end()
    // A directory that fails may have let go of the log all the same: then the next start needs the whole copy.
    const isThere = Either.getOrElse(
      attempt(name, "look for", () => from.has(name)),
      () => false
    )
    return Effect.ensuring(
      this.isMoved ? Effect.void : removeCopies(to, name, isThere ? copySuffixes : [movingSuffix]),
      Effect.sync(() => this.end())
    )
  }).pipe(Effect.uninterruptible)

  /** The process ends: the copy stays, and tells the next start that the log is to be moved. */
  end(): void {
    const { core, over } = this.parts
    this.log.end()
    if (core.copy === this.log) core.copy = undefined
    over()
  }
}
