import { join } from "node:path"
import { Effect, FiberRef, Layer } from "effect"
import { layer as fileStore } from "../../../adapters/log/file/layer.ts"
import { processPool } from "../../../adapters/log/file/process-pool.ts"
import type { NodeConfig } from "../../../domain/kernel/config.ts"
import type { NodeOptions } from "../../cli/node/roles.ts"
import type { Checksum } from "../../ports/checksum.ts"
import type { DirectoryLocked, LogFault, LogStore } from "../../ports/log-store.ts"
import { surroundings } from "../surroundings.ts"

/**
 * The store of a node's data directories, which the node holds exclusively. All stores of the process share one pool of
 * open files.
 */
export const layerStore = (directory: string | ReadonlyArray<string>, config: NodeConfig): Layer.Layer<LogStore, DirectoryLocked | LogFault, Checksum> =>
  Layer.unwrapEffect(
    Effect.map(FiberRef.get(surroundings), ({ store }) => {
      if (store !== undefined) return store(directory)
      const openFilesMax = config["log.open.files.max"]
      return fileStore({
        directory,
        pool: processPool(openFilesMax === 0 ? undefined : openFilesMax),
        scrubIntervalMs: config["log.scrub.interval.ms"],
        scrubBytesPerSecondMax: config["log.scrub.io.max.bytes.per.second"]
      })
    })
  )

/** A directory of this name in each of several. */
export const below = ([first, ...others]: NodeOptions["data"], name: string): NodeOptions["data"] => [
  join(first, name),
  ...others.map((each) => join(each, name))
]

/**
 * The directory of the leader's journal: Kafka's metadata.log.dir, else the first of log.dirs. It is one directory, and
 * the leader stops when it fails.
 */
export const journalDirectory = ({ config, data }: NodeOptions): string => (config["metadata.log.dir"] === "" ? data[0] : config["metadata.log.dir"])

/** The directory of the etcd that `franz up --engine etcd` starts. */
export const etcdDirectory = ({ data }: NodeOptions): string => join(data[0], "etcd")
