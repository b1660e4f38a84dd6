import { Effect, Either, Exit, Logger, LogLevel, Scope } from "effect"
import type { Disk } from "../../../../adapters/log/disk/disk.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import type { MoveOfLog } from "../../../../adapters/log/move/log-move.ts"
import { defaultStoreBounds, makeStoreOver, type StoreDirectory } from "../../../../adapters/log/store.ts"
import { LogFault, type LogMove, LogStore, type PartitionLog } from "../../../../src/ports/log-store.ts"
import { batch, checksum, hexOf, smallConfig, topicId } from "../../../src/ports/log-batches.ts"
import { readAll } from "../../../src/ports/log-store.contract.ts"

export type Store = LogStore["Type"]
export const config = { ...smallConfig, segmentBytesMax: 600, indexIntervalBytes: 100, fileDeleteDelayMs: 0 }
export const logName = `${topicId}-0`
export const unbounded = (): number => Number.MAX_SAFE_INTEGER

/** A data directory on a disk, as each of `log.dirs` may be. Several may share a disk. */
export const placeOn = (disk: MemoryDisk, root: string, over: (disk: Disk) => Disk = (each) => each): StoreDirectory => {
  const session = disk.session()
  session.makeDirectory(root)
  Effect.runSync(Effect.orDie(session.syncDirectory("/")))
  return { disk: over(session), root }
}
export const lost = (place: StoreDirectory): StoreDirectory => ({
  ...place,
  fault: new LogFault({ path: place.root, reason: "offline", message: `${place.root} is not there.` })
})

export const withStore = <A, E>(
  places: ReadonlyArray<StoreDirectory>,
  use: (store: Store) => Effect.Effect<A, E, Scope.Scope>,
  run: <B, F>(effect: Effect.Effect<B, F>) => Promise<B> = Effect.runPromise
): Promise<A> =>
  run(Effect.flatMap(makeStoreOver(places, defaultStoreBounds), use).pipe(Effect.scoped, Effect.provide(checksum), Logger.withMinimumLogLevel(LogLevel.None)))

/** A log that a test opens and closes. */
export interface HeldLog {
  readonly log: PartitionLog
  readonly close: Effect.Effect<void>
}
export const hold = (store: Store, isNew = false): Effect.Effect<HeldLog, LogFault> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const log = yield* Scope.extend(store.open(topicId, 0, config, isNew), scope)
    return { log, close: Scope.close(scope, Exit.void) }
  })

/** Appends `count` batches of two records, each durable when it returns. */
export const put = (log: PartitionLog, count: number, valueBytes = 40): Effect.Effect<void, LogFault> =>
  Effect.forEach(
    Array.from({ length: count }),
    () =>
      Effect.zipRight(
        Effect.suspend(() => log.append([batch(log.end(), 2, valueBytes)])),
        log.sync
      ),
    { discard: true }
  )
export const contentOf = (log: PartitionLog): ReadonlyArray<string> => hexOf(readAll(log))

/** One slice of the copy of a log that is open. Returns whether there was more than `bytesMax` to copy. */
export const slice = (move: LogMove, bytesMax: number): Effect.Effect<boolean, LogFault> =>
  Effect.map((move as MoveOfLog)["log"].slice(bytesMax), (bytes) => bytes !== undefined)

/** The names in a data directory that belong to the log, without what it is to be. */
export const namesIn = ({ disk, root }: StoreDirectory): ReadonlyArray<string> =>
  disk
    .list(root)
    .filter((name) => name.startsWith(logName))
    .map((name) => name.slice(logName.length))
    .toSorted()

export const faultIn = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<E | undefined> =>
  Effect.map(Effect.either(effect), (result) => (Either.isLeft(result) ? result.left : undefined))
