import { realpathSync } from "node:fs"
import { resolve } from "node:path"
import process from "node:process"
import { Context, Effect, Either, Layer, type Scope } from "effect"
import type { Checksum } from "../../../src/ports/checksum.ts"
import { DirectoryLocked, LogFault, LogStore } from "../../../src/ports/log-store.ts"
import { attempt, type Disk, makeDurableDirectory } from "../disk/disk.ts"
import { FilePool } from "../disk/file-pool.ts"
import { defaultStoreBounds, makeStoreOver, offlineAtStart, type StoreBounds, type StoreDirectory } from "../store.ts"
import { holdDirectory, lockCheckIntervalMs } from "./directory-lock.ts"
import { nodeDisk } from "./node-disk.ts"
import { processPool } from "./process-pool.ts"

/** Where and how a store keeps its logs. */
interface FileStoreOptions extends Partial<StoreBounds> {
  /** The bound that its open files share with others; default: one of its own with `openFilesMax`, else the process's. */
  readonly pool?: FilePool
  /**
   * Made if it is missing. Held exclusively by this process until the layer's scope closes, or the process ends in whatever way. Of several, those that cannot be
   * had are offline, and the others serve; where none can be had the layer fails as the first did.
   */
  readonly directory: string | ReadonlyArray<string>
  /** How often the store looks whether its locks are still there, ms; default 5000. */
  readonly lockCheckMs?: number
}

/** The disk under the files: the machine's, unless a test or a developer's script puts one there that fails where it is told to. */
export class MachineDisk extends Context.Reference<MachineDisk>()("MachineDisk", { defaultValue: (): Disk => nodeDisk }) {}

/**
 * Whether this process made the directories for itself under names that no other process knows, as a test cluster does. They need no lock file, which needs SQLite:
 * Node 20 has none.
 */
export class PrivateDirectories extends Context.Reference<PrivateDirectories>()("comanche-franz/PrivateDirectories", { defaultValue: () => false }) {}

type Denied = DirectoryLocked | LogFault

const hold = (disk: Disk, root: string, lockCheckMs: number): Effect.Effect<StoreDirectory, Denied, Scope.Scope> =>
  Effect.gen(function* () {
    yield* makeDurableDirectory(disk, root)
    const realPath = yield* attempt(root, "open", () => realpathSync(root))
    const { lost } = yield* holdDirectory({ disk, directory: root, realPath, processId: process.pid, withFile: !(yield* PrivateDirectories) })
    return { disk, root, lost: lost(lockCheckMs) }
  })

const holdAll = (disk: Disk, roots: ReadonlyArray<string>, lockCheckMs: number): Effect.Effect<ReadonlyArray<StoreDirectory>, Denied, Scope.Scope> =>
  Effect.gen(function* () {
    const held = yield* Effect.forEach(roots, (root) => Effect.either(hold(disk, root, lockCheckMs)))
    const denied = held.filter(Either.isLeft)
    if (denied[0] !== undefined && denied.length === roots.length) return yield* denied[0].left
    return held.map((each, i): StoreDirectory => {
      const root = roots[i] as string
      return Either.isRight(each) ? each.right : { disk, root, fault: offlineAtStart(root, each.left) }
    })
  })

/** Logs in files of Kafka's own format, under `<directory>/<topicId>-<partition>/`. */
export const layer = ({ directory, lockCheckMs = lockCheckIntervalMs, pool: given, ...bounds }: FileStoreOptions): Layer.Layer<LogStore, Denied, Checksum> =>
  Layer.scoped(
    LogStore,
    Effect.gen(function* () {
      const roots = (typeof directory === "string" ? [directory] : directory).map((each) => resolve(each))
      const pool = given ?? (bounds.openFilesMax === undefined ? processPool() : new FilePool(bounds.openFilesMax))
      const places = yield* holdAll(yield* MachineDisk, roots, lockCheckMs)
      return yield* makeStoreOver(places, { ...defaultStoreBounds, openFilesMax: pool.filesMax, ...bounds }, pool)
    })
  )
