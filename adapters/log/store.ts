import { type Clock, type Context, Effect, Runtime, type Scope } from "effect"
import type { TopicId } from "../../domain/kernel/id.ts"
import type { Crc32c } from "../../domain/log/crc32c.ts"
import { Checksum } from "../../src/ports/checksum.ts"
import { type LogConfig, LogFault, type LogStore } from "../../src/ports/log-store.ts"
import { Checkpoints } from "./checkpoint.ts"
import { recoverCompaction } from "./compaction/recover.ts"
import { DerivedFiles } from "./derived-files.ts"
import { attempt, type Disk, type DiskFile, faultOf } from "./disk.ts"
import { FilePool } from "./file-pool.ts"
import { claimDirectory } from "./identity.ts"
import { type OpenSegments, openSegments } from "./open-segments.ts"
import { type LogParts, SegmentedLog } from "./partition-log.ts"
import { RecoveryPointFile } from "./recovery-point.ts"
import { SharedCaches } from "./shared-caches.ts"
import { inSlices, Pace } from "./slices.ts"
import { LogTail, TailBudget } from "./tail-cache.ts"

/** Bounds of a store's memory and open files, for all its logs together. */
export interface StoreBounds {
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
  openFilesMax: 256
}

type Service = Context.Tag.Service<LogStore>

const directoryForm = /^([A-Za-z0-9_-]{22})-(\d{1,10})$/
const removedSuffix = "-delete"
/** A directory that a removal has renamed. What else lies in a data directory, whatever it is called, is not ours to delete. */
const removedForm = /^[A-Za-z0-9_-]{22}-\d{1,10}-delete$/

const nameOf = (topicId: TopicId, partition: number): string => `${topicId}-${partition}`

/** What the disk threw, as a fault of `path`. */
const syncing = (disk: Disk, path: string): Effect.Effect<void, LogFault> => Effect.mapError(disk.syncDirectory(path), (error) => faultOf(path, "sync", error))

const removeTree = (disk: Disk, path: string): void => {
  for (const name of disk.list(path)) disk.unlink(`${path}/${name}`)
  disk.removeDirectory(path)
}

/** A removal that a crash interrupted is finished: the rename before it was the decision. */
const finishRemovals = (disk: Disk, root: string): void => {
  for (const name of disk.list(root)) if (removedForm.test(name)) removeTree(disk, `${root}/${name}`)
}

/** Writes a file over itself, so that the kernel takes every page for changed. */
const rewrite = (file: DiskFile): void => {
  const size = file.size()
  const bytes = new Uint8Array(1_048_576)
  for (let at = 0; at < size; at += bytes.length) file.write([bytes.subarray(0, file.read(bytes.subarray(0, Math.min(bytes.length, size - at)), at))], at)
}

/** Recovery's result is made durable before anybody builds on it. */
const settle = ({ disk, directory, recoveryPoint }: LogParts, opened: OpenSegments, derived: DerivedFiles): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    if (opened.cut !== undefined) {
      const { bytes, offset, path, position, wrong } = opened.cut
      yield* Effect.logWarning(`Torn tail cut: ${path} lost ${bytes} bytes from byte ${position} on, the log ends before offset ${offset} now (${wrong}).`)
    }
    if (opened.unsynced.length === 0 && !derived.removedAhead) return
    const { active, mustRewrite } = opened
    const failed = (error: unknown) => faultOf(directory, "sync", error)
    for (const file of opened.unsynced) {
      if (mustRewrite) yield* attempt(file.path, "write", () => rewrite(file))
      yield* Effect.mapError(file.sync, failed)
    }
    yield* Effect.mapError(disk.syncDirectory(directory), failed)
    const { baseOffset, endOffset: offset, sizeInBytes: position } = active
    yield* attempt(recoveryPoint.path, "write", () => recoveryPoint.write({ offset, baseOffset, position, isClean: false, syncFailed: false }))
  })

const closeFiles = (opened: OpenSegments): void => {
  for (const file of new Set([...opened.unsynced, opened.active.file()])) attempt(file.path, "close", () => file.close())
}

const openLog = (parts: LogParts): Effect.Effect<SegmentedLog, LogFault> =>
  Effect.gen(function* () {
    const { directory, disk, recoveryPoint } = parts
    const note = yield* recoverCompaction(parts)
    const opened = yield* inSlices(
      parts.pace,
      directory,
      "open",
      (function* () {
        const isNewDirectory = !disk.exists(directory)
        if (isNewDirectory) disk.makeDirectory(directory)
        const found = yield* openSegments({ ...parts, compacted: note.ranges, now: parts.clock() }, recoveryPoint.read())
        recoveryPoint.touch()
        return { ...found, isNew: found.isNew || isNewDirectory }
      })()
    )
    const settled = Effect.gen(function* () {
      const start = (opened.sealed[0] ?? opened.active).baseOffset
      const derived = yield* attempt(directory, "open", () => new DerivedFiles(disk, directory, disk.list(directory), start, opened.active))
      yield* settle(parts, opened, derived)
      return derived
    })
    const derived = yield* Effect.onError(settled, () => Effect.sync(() => closeFiles(opened)))
    for (const file of opened.unsynced) if (file !== opened.active.file()) file.close()
    return new SegmentedLog(parts, opened, note, derived)
  })

class FileLogStore {
  private readonly caches: SharedCaches
  private readonly budget: TailBudget
  private readonly checkpoints: Checkpoints
  private readonly openNames = new Set<string>()
  private readonly pace: Pace

  constructor(
    private readonly disk: Disk,
    private readonly root: string,
    bounds: StoreBounds,
    private readonly crc32c: Crc32c,
    private readonly clock: Clock.Clock,
    private readonly runtime: Runtime.Runtime<never>
  ) {
    this.caches = new SharedCaches(disk, bounds)
    this.pace = new Pace(clock)
    this.budget = new TailBudget(bounds.tailBytesMaxPerLog, bounds.tailBytesMax)
    this.checkpoints = new Checkpoints(disk, root, crc32c)
  }

  readonly close = Effect.sync(() => this.caches.close())

  readonly claim: Service["claim"] = (identity) => claimDirectory(this.disk, this.root, identity)

  readonly open: Service["open"] = (topicId, partition, config) => {
    const name = nameOf(topicId, partition)
    const release = Effect.sync(() => void this.openNames.delete(name))
    const acquire = Effect.suspend((): Effect.Effect<SegmentedLog, LogFault> => {
      if (this.openNames.has(name)) return Effect.fail(this.busy(name))
      this.openNames.add(name)
      const parts = this.partsOf(`${this.root}/${name}`, config)
      return Effect.onError(openLog(parts), () =>
        Effect.zipRight(
          release,
          Effect.sync(() => parts.recoveryPoint.close())
        )
      )
    })
    return Effect.acquireRelease(acquire, (log) => Effect.ensuring(log.close, release))
  }

  readonly list: Service["list"] = Effect.suspend(() => attempt(this.root, "list", () => this.disk.list(this.root))).pipe(
    Effect.map((names) =>
      names.flatMap((name) => {
        const found = directoryForm.exec(name)
        return found === null ? [] : [{ topicId: found[1] as TopicId, partition: Number(found[2]) }]
      })
    )
  )

  readonly remove: Service["remove"] = (topicId, partition) => {
    const { disk, root } = this
    return Effect.gen(this, function* () {
      const name = nameOf(topicId, partition)
      if (this.openNames.has(name)) return yield* this.busy(name)
      const path = `${root}/${name}`
      if (!(yield* attempt(path, "remove", () => disk.exists(path)))) return
      const doomed = `${path}${removedSuffix}`
      yield* attempt(path, "remove", () => {
        if (disk.exists(doomed)) removeTree(disk, doomed)
        disk.rename(path, doomed)
      })
      yield* syncing(disk, root)
      yield* attempt(doomed, "remove", () => removeTree(disk, doomed))
      yield* syncing(disk, root)
    }).pipe(Effect.uninterruptible)
  }

  readonly writeCheckpoint: Service["writeCheckpoint"] = (name, bytes) => this.checkpoints.write(name, bytes)
  readonly readCheckpoint: Service["readCheckpoint"] = (name) => this.checkpoints.read(name)

  private busy(name: string): LogFault {
    return new LogFault({ path: `${this.root}/${name}`, reason: "io", message: `${this.root}/${name} is open already: a log has one writer.` })
  }

  private partsOf(directory: string, config: LogConfig): LogParts {
    const { budget, caches, clock, crc32c, disk, pace, root, runtime } = this
    return {
      root,
      directory,
      disk,
      config,
      caches,
      crc32c,
      recoveryPoint: new RecoveryPointFile(disk, directory, crc32c),
      tail: new LogTail(budget),
      pace,
      clock: () => clock.unsafeCurrentTimeMillis(),
      fork: (effect) => void Runtime.runFork(runtime)(effect)
    }
  }
}

/**
 * A log store in the directory `root` of `disk`, which the caller holds exclusively. Both adapters are this, over two disks. Stores that share a process share
 * the `pool` of its open files.
 */
export const makeStore = (
  disk: Disk,
  root: string,
  bounds: StoreBounds,
  pool: FilePool = new FilePool(bounds.openFilesMax)
): Effect.Effect<Service, LogFault, Checksum | Scope.Scope> =>
  Effect.gen(function* () {
    const runtime = yield* Effect.runtime<never>()
    const pooled = pool.over(disk, (effect) => void Runtime.runFork(runtime)(effect))
    yield* attempt(root, "open", () => finishRemovals(pooled, root))
    const { crc32c } = yield* Checksum
    const store = new FileLogStore(pooled, root, bounds, crc32c, yield* Effect.clock, runtime)
    yield* Effect.addFinalizer(() => store.close)
    const { claim, list, open, readCheckpoint, remove, writeCheckpoint } = store
    return { claim, list, open, readCheckpoint, remove, writeCheckpoint }
  })
