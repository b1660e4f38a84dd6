import { createHash } from "node:crypto"
import { Effect, Either } from "effect"
import { RecordBatch, readableBatches } from "../../domain/log/batch.ts"
import type { Snapshot } from "../../src/ports/journal.ts"
import { LogFault } from "../../src/ports/log-store.ts"

/** A whole stream at one moment, as it is copied from one engine to another: with the same batches, indexes and epochs. */
export interface StreamImage {
  readonly stream: string
  /** The index of its first entry. */
  readonly start: number
  /** The index after its last entry. */
  readonly end: number
  /** The newest epoch under which it was held: the next holder needs a newer one. */
  readonly epoch: number
  readonly snapshot: Snapshot | undefined
  /** Runs of batches from the one that begins at `from`, some mebibytes at most where no batch is larger. */
  readonly batches: (from: number) => Effect.Effect<ReadonlyArray<Uint8Array>, LogFault>
}

/** Calls `visit` with every batch of a stream, in order, about a mebibyte at a time. */
export const eachBatches = <E>(image: StreamImage, visit: (batches: ReadonlyArray<RecordBatch>) => Effect.Effect<void, E>): Effect.Effect<void, E | LogFault> =>
  Effect.gen(function* () {
    for (let at = image.start; at < image.end; ) {
      const runs = yield* image.batches(at)
      const read = Either.all(runs.map((run) => readableBatches(run)))
      const batches: ReadonlyArray<RecordBatch> = Either.isRight(read) ? read.right.flat().filter(({ baseOffset }) => baseOffset < image.end) : []
      const [first, next] = [batches[0]?.baseOffset, batches.at(-1)?.nextOffset]
      if (first !== at || next === undefined)
        return yield* new LogFault({ path: image.stream, reason: "corrupt", message: `${image.stream} is damaged at entry ${at}.` })
      yield* visit(batches)
      at = next
    }
  })

/** What two images have in common if and only if they are the same: counts, and the SHA-256 of all batches and of the snapshot. */
export interface StreamDigest {
  readonly start: number
  readonly end: number
  readonly epoch: number
  readonly batches: number
  readonly bytes: number
  readonly sha256: string
}

/** Reads a stream to its end. The memory that it takes does not depend on the stream's length. */
export const digestOf = (image: StreamImage): Effect.Effect<StreamDigest, LogFault> =>
  Effect.gen(function* () {
    const hash = createHash("sha256")
    let [count, bytes] = [0, 0]
    yield* eachBatches(image, (batches) =>
      Effect.sync(() => {
        for (const batch of batches) hash.update(batch.bytes)
        count += batches.length
        bytes += batches.reduce((sum, batch) => sum + batch.bytes.length, 0)
      })
    )
    if (image.snapshot !== undefined) hash.update(`snapshot ${image.snapshot.index}`).update(image.snapshot.value)
    return { start: image.start, end: image.end, epoch: image.epoch, batches: count, bytes, sha256: hash.digest("hex") }
  })
