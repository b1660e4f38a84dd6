import { type Clock, type Context, Effect, Either, Exit, Runtime, Schedule, Scope } from "effect"
import type { TopicId } from "../../domain/kernel/id.ts"
import type { Crc32c } from "../../domain/log/crc32c.ts"
import { Checksum } from "../../src/ports/checksum.ts"
import { type DirectoryIdentity, type LogConfig, LogFault, type LogStore } from "../../src/ports/log-store.ts"
import { registerMetrics } from "../../src/ports/metrics.ts"
import { attempt, type Disk } from "./disk/disk.ts"
import { FilePool } from "./disk/file-pool.ts"
import { claimDirectory, isClaimed } from "./disk/identity.ts"
import { defaultSharing, type SharingBounds } from "./disk/shared-sync.ts"
import { Pace } from "./disk/slices.ts"
import { SyncTimes } from "./disk/sync-times.ts"
import { removeFrom, removeSetAside, setAside, setStray } from "./leaving-logs.ts"
import { LogDirectory } from "./log-directory.ts"
import type { LogParts } from "./log-parts.ts"
import { MovesOfStore } from "./move/moves.ts"
import { settleMoves, strandedMove } from "./move/unfinished.ts"
import { openLog } from "./open-log.ts"
import type { SegmentedLog } from "./partition-log.ts"
import { OpeningProgress } from "./recovery/opening-progress.ts"
import { RecoveryPointFile } from "./recovery/recovery-point.ts"
import { defaultScrubBounds, type ScrubBounds } from "./scrub/scrubber.ts"
import { LogTail, TailBudget } from "./segment/tail-cache.ts"

/** Bounds of a store's memory and open files, for all its logs together. */
export interface StoreBounds extends ScrubBounds, SharingBounds {
  /** Bytes of the newest batches that one log keeps in memory for readers at its end. */
  readonly tailBytesMaxPerLog: number
  /** The same for all logs of the store together. */
  readonly tailBytesMax: number
  /** Bytes of indexes of sealed segments in memory. */
  readonly indexBytesMax: number
  /** Files that are open at a time. Logs, segments and readers may be as many as they like. */
  readonly openFilesMax: number
}
export const defaultStoreBounds: StoreBounds = {
  tailBytesMaxPerLog: 8_388_608,
  tailBytesMax: 67_108_864,
  indexBytesMax: 16_777_216,
  openFilesMax: 256,
  ...defaultScrubBounds,
  ...defaultSharing
}

type Service = Context.Tag.Service<LogStore>

const nameOf = (topicId: TopicId, partition: number): string => `${topicId}-${partition}`

const busy = (name: string): LogFault => new LogFault({ path: name, reason: "io", message: `The log ${name} is open already: a log has one writer.` })

const twice = (name: string, one: LogDirectory, other: LogDirectory): LogFault =>
  new LogFault({
    path: `${one.path}/${name}`,
    reason: "corrupt",
    message: `The log ${name} is in two directories, ${one.path}/${name} and ${other.path}/${name}. Nothing was changed. The partition stays offline: look which one is newer (franz log verify), move the other away, then start again.`
  })

const sameId = ({ path }: LogDirectory, other: LogDirectory): LogFault =>
  new LogFault({
    path,
    reason: "corrupt",
    message: `${path} and ${other.path} have the same directory.id in meta.properties: one is a copy of the other. Move the copy away. If both are meant to serve, remove that line from one of them, and the next start draws a new id.`
  })

/** A log that is not found may be in a directory that cannot be read: a new one in its place would be a loss without an error. */
const elsewhere = (name: string, broken: LogDirectory): LogFault =>
  new LogFault({
    path: `${broken.path}/${name}`,
    reason: "offline",
    message: `The log ${name} is in no directory that works, and ${broken.path} is offline: it may be there. It is opened when that directory is back. ${broken.fault()?.message ?? ""}`
  })

/** One of several directories that cannot be had when the node starts. */
export const offlineAtStart = (path: string, fault: { readonly message: string }): LogFault =>
  new LogFault({
    path,
    reason: "offline",
    message: `The data directory ${path} is offline from the start: ${fault.message} The other directories serve; start this node again when it is repaired.`,
    cause: fault
  })

class FileLogStore {
  private readonly openNames = new Set<string>()
  private readonly openLogs = new Map<string, { readonly core: SegmentedLog["core"]; readonly at: LogDirectory }>()
  readonly moves: MovesOfStore
  private readonly pace: Pace
  private readonly progress: OpeningProgress

  constructor(
    readonly directories: ReadonlyArray<LogDirectory>,
    private readonly budget: TailBudget,
    private readonly crc32c: Crc32c,
    private readonly clock: Clock.Clock,
    private readonly syncTimes: SyncTimes,
    private readonly fork: (effect: Effect.Effect<void>) => void,
    beside: ReadonlySet<string>
  ) {
    this.progress = new OpeningProgress(clock, () => directories.reduce((sum, { logCount }) => sum + logCount, 0))
    this.pace = new Pace(clock, this.progress.tell)
    this.moves = new MovesOfStore(directories, this.openLogs, clock, crc32c, beside)
  }

  private get working(): ReadonlyArray<LogDirectory> {
    return this.directories.filter((each) => each.fault() === undefined)
  }

  /** Twice where need be: the cluster that the second directory knows is told to the first. */
  readonly claim: Service["claim"] = (identity) =>
    Effect.zipRight(this.tellNew, this.claimAll(identity)).pipe(
      Effect.flatMap((found) => (found.clusterId === identity.clusterId ? Effect.succeed(found) : this.claimAll(found)))
    )

  /** A directory without a name beside others that have one was added, or it is where a disk should be mounted and is not: logs that it held would be made anew, empty. */
  private readonly tellNew = Effect.flatMap(
    Effect.suspend(() => attempt("meta.properties", "look for", () => this.working.filter(({ disk, path }) => !isClaimed(disk, path)))),
    (unclaimed) =>
      unclaimed.length === this.working.length
        ? Effect.void
        : Effect.forEach(
            unclaimed,
            ({ path }) =>
              Effect.logWarning(
                `The data directory ${path} is new beside the others. If it should hold logs, its disk is not mounted: stop this node, mount it.`
              ),
            { discard: true }
          )
  )

  private claimAll(identity: DirectoryIdentity) {
    return Effect.reduce(this.working, identity, (known, directory) =>
      Effect.flatMap(claimDirectory(directory.disk, directory.path, known), ({ directoryId, ...claimed }) => {
        const other = this.directories.find((each) => each !== directory && each.id() === directoryId)
        if (other !== undefined) return sameId(directory, other)
        directory.claimed(directoryId)
        return Effect.succeed(claimed)
      })
    )
  }

  readonly open: Service["open"] = (topicId, partition, config, isNew = false) => {
    const name = nameOf(topicId, partition)
    const release = Effect.sync(() => {
      this.openNames.delete(name)
      this.openLogs.delete(name)
    })
    const acquire = Effect.suspend((): Effect.Effect<{ readonly log: SegmentedLog; readonly at: LogDirectory }, LogFault> => {
      if (this.openNames.has(name)) return Effect.fail(busy(name))
      const at = this.placeOf(name, isNew)
      return Either.isLeft(at) ? Effect.fail(at.left) : Effect.map(this.openAt(at.right, name, config, isNew), (log) => ({ log, at: at.right }))
    })
    const close = ({ at, log }: { readonly log: SegmentedLog; readonly at: LogDirectory }): Effect.Effect<void> =>
      Effect.ensuring(
        Effect.zipRight(
          log.close,
          Effect.sync(() => at.release(name))
        ),
        release
      )
    // As Effect.acquireRelease, which compares all that a fiber carries for each log.
    return Effect.uninterruptible(
      Effect.flatMap(Effect.scope, (scope) => Effect.flatMap(acquire, (held) => Effect.as(Scope.addFinalizer(scope, close(held)), held.log)))
    )
  }

  private openAt(at: LogDirectory, name: string, config: LogConfig, isNew: boolean): Effect.Effect<SegmentedLog, LogFault> {
    const { openNames, progress } = this
    const parts = this.partsOf(at, name, config)
    openNames.add(name)
    // A log that is made, or was moved, has nothing to recover.
    const isRecovered = !this.moves.takePlaced(name) && !isNew
    if (isRecovered) progress.begun()
    const opening = Effect.onExit(openLog(parts), (exit) =>
      Effect.sync(() => {
        if (isRecovered) progress.ended(Exit.isSuccess(exit))
        if (Exit.isSuccess(exit)) {
          this.openLogs.set(name, { core: exit.value.core, at })
          return at.hold(name, exit.value)
        }
        openNames.delete(name)
        parts.recoveryPoint.close()
      })
    )
    return this.moves.hasBeside(name) ? Effect.tap(opening, (log) => this.moves.opened(name, log.end())) : opening
  }

  /** The directory that a log is in; for a new log the one with the most room for each of its logs, this one counted in. */
  private placeOf(name: string, isNew: boolean): Either.Either<LogDirectory, LogFault> {
    return Either.flatMap(
      attempt(name, "look for", () => this.working.filter((each) => each.has(name))),
      ([found, other]) => {
        if (found !== undefined) return other === undefined ? Either.right(found) : Either.left(twice(name, found, other))
        const broken = this.directories.find((each) => each.fault() !== undefined)
        const fault = broken?.fault()
        if (fault !== undefined && this.working.length === 0) return Either.left(fault)
        if (broken !== undefined && !isNew) return Either.left(elsewhere(name, broken))
        // A move that was not finished: an empty log in its place would be a loss without an error.
        const stranded = strandedMove(this.working, name)
        if (stranded !== undefined) return Either.left(broken === undefined ? stranded : elsewhere(name, broken))
        return attempt(name, "make", () => {
          const { working } = this
          const preferred = this.moves.takePreferred(name)
          if (preferred !== undefined) {
            preferred.logCount++
            return preferred
          }
          // Where there is nothing to choose the system is not asked for each log.
          const rooms = working.map((directory) => ({ directory, room: working.length === 1 ? 0 : directory.roomPerLog }))
          const { directory } = rooms.reduce((most, each) => (each.room > most.room ? each : most))
          directory.logCount++
          return directory
        })
      }
    )
  }

  readonly list: Service["list"] = Effect.suspend(() => Either.all(this.working.map((each) => attempt(each.path, "list", each.logs)))).pipe(
    Effect.map((all) => all.flat())
  )

  readonly remove: Service["remove"] = (topicId, partition) =>
    Effect.gen(this, function* () {
      const name = nameOf(topicId, partition)
      if (this.openNames.has(name)) return yield* busy(name)
      for (const each of this.working) if (yield* attempt(each.path, "look for", () => each.has(name))) yield* removeFrom(each, name)
      for (const each of this.working) yield* removeSetAside(each, name)
      yield* this.moves.end(name)
    }).pipe(Effect.uninterruptible)

  readonly setAside: Service["setAside"] = (topicId, partition, why = "damaged") =>
    Effect.gen(this, function* () {
      const name = nameOf(topicId, partition)
      if (this.openNames.has(name)) return yield* busy(name)
      const paths: Array<string> = []
      for (const each of this.working)
        if (yield* attempt(each.path, "look for", () => each.has(name))) {
          const path = yield* why === "stray" ? setStray(each, name) : setAside(each, name)
          if (path !== undefined) paths.push(path)
        }
      // Another replica has the records: what the log was before a move would keep a new one from being made.
      if (why === "damaged" && paths.length > 0) yield* this.moves.removeLeft(name)
      return paths
    }).pipe(Effect.uninterruptible)

  /** In every directory, so that the loss of one loses no document. */
  readonly writeCheckpoint: Service["writeCheckpoint"] = (name, bytes, isDerived) =>
    Effect.suspend(() => {
      const fault = this.working.length === 0 ? this.directories[0]?.fault() : undefined
      if (fault !== undefined) return Effect.fail(fault)
      return Effect.forEach(
        this.working,
        // A directory that fails meanwhile has lost its logs, too.
        (each) =>
          Effect.catchAll(each.checkpoints.write(name, bytes, isDerived), (fault) =>
            each.fault() !== undefined && this.working.length > 0 ? Effect.void : Effect.fail(fault)
          ),
        { discard: true }
      )
    })

  readonly readCheckpoint: Service["readCheckpoint"] = (name) =>
    Effect.flatMap(
      Effect.forEach(this.working, (each) => Effect.either(each.checkpoints.read(name))),
      (read) => {
        const found = read.flatMap((each) => (Either.isRight(each) && each.right !== undefined ? [each.right] : []))
        const spoiled = read.find(Either.isLeft)
        if (spoiled === undefined) return Effect.succeed(found)
        // Every directory has a copy: what is lost in one is read in another.
        return found.length === 0
          ? Effect.fail(spoiled.left)
          : Effect.as(Effect.logWarning(`${spoiled.left.message} The copy in another directory is used.`), found)
      }
    )

  private partsOf(at: LogDirectory, name: string, config: LogConfig): LogParts {
    const { budget, clock, crc32c, fork, pace, progress, syncTimes } = this
    const { caches, disk, path: root, scrubber, shared } = at
    const directory = `${root}/${name}`
    return {
      root,
      directory,
      disk,
      config,
      caches,
      crc32c,
      scrubber,
      recoveryPoint: new RecoveryPointFile(disk, directory, crc32c),
      tail: new LogTail(budget),
      pace,
      progress,
      syncTimes,
      shared,
      clock: () => clock.unsafeCurrentTimeMillis(),
      fork
    }
  }
}

/** A data directory that the caller holds exclusively, or what keeps it from being one: it is offline then. */
export interface StoreDirectory {
  readonly disk: Disk
  readonly root: string
  readonly fault?: LogFault
  /** Ends with the reason when the caller's hold on the directory is lost. */
  readonly lost?: Effect.Effect<LogFault>
}

/** A log store over several directories. Stores that share a process share the `pool` of its open files. */
export const makeStoreOver = (
  places: ReadonlyArray<StoreDirectory>,
  bounds: StoreBounds,
  pool: FilePool = new FilePool(bounds.openFilesMax)
): Effect.Effect<Service, LogFault, Checksum | Scope.Scope> =>
  Effect.gen(function* () {
    const runtime = yield* Effect.runtime<never>()
    const fork = (effect: Effect.Effect<void>): void => void Runtime.runFork(runtime)(effect)
    const { crc32c } = yield* Checksum
    const clock = yield* Effect.clock
    const caches = { openFilesMax: bounds.openFilesMax, indexBytesMax: Math.floor(bounds.indexBytesMax / places.length) }
    const syncTimes = new SyncTimes()
    const now = () => clock.unsafeCurrentTimeMillis()
    const directories = places.map(({ disk, fault, root }) => {
      const directory = new LogDirectory(root, disk, { pool, crc32c, caches, fork, scrub: bounds, sharing: bounds, syncTimes, now })
      if (fault !== undefined) directory.takeOffline(fault)
      return directory
    })
    for (const directory of directories) {
      const begun = attempt(directory.path, "open", () => directory.begin())
      if (Either.isRight(begun)) continue
      if (places.length === 1) return yield* begun.left
      directory.takeOffline(offlineAtStart(directory.path, begun.left))
    }
    const beside = yield* settleMoves(directories, (directory, fault) => directory.takeOffline(offlineAtStart(directory.path, fault)))
    const store = new FileLogStore(directories, new TailBudget(bounds.tailBytesMaxPerLog, bounds.tailBytesMax), crc32c, clock, syncTimes, fork, beside)
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const directory of directories) directory.close()
      })
    )
    const paths = directories.map(({ path }) => path).join(",")
    yield* registerMetrics(() => syncTimes.samples(paths))
    const endIdleThreads = Effect.sync(() => {
      for (const { shared } of directories) shared.endIfIdle()
    })
    if (directories.some(({ shared }) => shared.isPossible)) yield* Effect.forkScoped(Effect.repeat(endIdleThreads, Schedule.spaced("30 seconds")))
    for (const { failed, scrubber } of directories) yield* Effect.forkScoped(Effect.raceFirst(scrubber.run, failed))
    for (const [at, { lost }] of places.entries())
      if (lost !== undefined) yield* Effect.forkScoped(Effect.map(lost, (fault) => directories[at]?.takeOffline(fault)))
    const { claim, list, moves, open, readCheckpoint, remove, setAside, writeCheckpoint } = store
    return { claim, directories, list, moves, open, readCheckpoint, remove, setAside, writeCheckpoint }
  })

/** A log store in the directory `root` of `disk`, which the caller holds exclusively. Both adapters are this, over two disks. */
export const makeStore = (disk: Disk, root: string, bounds: StoreBounds, pool?: FilePool): Effect.Effect<Service, LogFault, Checksum | Scope.Scope> =>
  makeStoreOver([{ disk, root }], bounds, pool)
