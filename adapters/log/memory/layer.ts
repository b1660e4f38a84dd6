import { Effect, Layer } from "effect"
import type { Checksum } from "../../../src/ports/checksum.ts"
import { DirectoryLocked, type LogFault, LogStore } from "../../../src/ports/log-store.ts"
import { makeDurableDirectory } from "../disk/disk.ts"
import { defaultStoreBounds, makeStoreOver, type StoreBounds } from "../store.ts"
import type { MemoryDisk } from "./memory-disk.ts"

const directory = "/data"

const hold = (disk: MemoryDisk) =>
  Effect.acquireRelease(
    Effect.suspend(() => {
      const { holder } = disk
      if (holder !== undefined) return new DirectoryLocked({ path: directory, holder: holder.name, message: `The memory disk is in use by ${holder.name}.` })
      const mine = { name: "another store of this test" }
      disk.holder = mine
      return Effect.succeed(mine)
    }),
    // After a crash the disk may have a new holder.
    (mine) => Effect.sync(() => void (disk.holder === mine && (disk.holder = undefined)))
  )

/**
 * The same store over a disk in memory, which the test holds: it outlives the layer, and `disk.crash` takes from it what was not synced. `roots`: its data
 * directories, all of them on that disk.
 */
export const layer = (
  disk: MemoryDisk,
  bounds: Partial<StoreBounds> = {},
  roots: ReadonlyArray<string> = [directory]
): Layer.Layer<LogStore, DirectoryLocked | LogFault, Checksum> =>
  Layer.scoped(
    LogStore,
    Effect.gen(function* () {
      yield* hold(disk)
      const session = disk.session()
      for (const root of roots) yield* makeDurableDirectory(session, root)
      return yield* makeStoreOver(
        roots.map((root) => ({ disk: session, root })),
        { ...defaultStoreBounds, ...bounds }
      )
    })
  )
