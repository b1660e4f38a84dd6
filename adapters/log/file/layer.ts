import { realpathSync } from "node:fs"
import { resolve } from "node:path"
import process from "node:process"
import { Effect, Layer } from "effect"
import type { Checksum } from "../../../src/ports/checksum.ts"
import { type DirectoryLocked, type LogFault, LogStore } from "../../../src/ports/log-store.ts"
import { attempt, makeDurableDirectory } from "../disk.ts"
import { FilePool } from "../file-pool.ts"
import { defaultStoreBounds, makeStore, type StoreBounds } from "../store.ts"
import { holdDirectory } from "./directory-lock.ts"
import { nodeDisk } from "./node-disk.ts"
import { processPool } from "./process-pool.ts"

/** Where and how a store keeps its logs. */
export interface FileStoreOptions extends Partial<StoreBounds> {
  /** The bound that its open files share with others; default: one of its own with `openFilesMax`, else the process's. */
  readonly pool?: FilePool
  /** Made if it is missing. Held exclusively by this process until the layer's scope closes, or the process ends in whatever way. */
  readonly directory: string
}

/** Logs in files of Kafka's own format, under `<directory>/<topicId>-<partition>/`. */
export const layer = ({ directory, pool: given, ...bounds }: FileStoreOptions): Layer.Layer<LogStore, DirectoryLocked | LogFault, Checksum> =>
  Layer.scoped(
    LogStore,
    Effect.gen(function* () {
      const path = resolve(directory)
      yield* makeDurableDirectory(nodeDisk, path)
      const realPath = yield* attempt(path, "open", () => realpathSync(path))
      yield* holdDirectory(nodeDisk, path, realPath, process.pid)
      const pool = given ?? (bounds.openFilesMax === undefined ? processPool() : new FilePool(bounds.openFilesMax))
      return yield* makeStore(nodeDisk, path, { ...defaultStoreBounds, openFilesMax: pool.filesMax, ...bounds }, pool)
    })
  )
