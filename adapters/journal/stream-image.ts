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
  /** Runs of batches from the one that begins at `from`, about a mebibyte; empty at the end. */
  readonly batches: (from: number) => Either.Either<ReadonlyArray<Uint8Array>, LogFault>
}

/** Calls `visit` with every batch of a stream, in order, about a mebibyte at a time. */
export const eachBatches = <E>(image: StreamImage, visit: (batches: ReadonlyArray<RecordBatch>) => Effect.Effect<void, E>): Effect.Effect<void, E | LogFault> =>
  Effect.gen(function* () {
    for (let at = image.start; at < image.end; ) {
      const runs = yield* image.batches(at)
      const read = Either.all(runs.map((run) => readableBatches(run)))
      const batches = Either.isRight(read) ? read.right.flat().filter(({ baseOffset }) => baseOffset < image.end) : []
      const next = batches.at(-1)?.nextOffset
      if (next === undefined) return yield* new LogFault({ path: image.stream, reason: "corrupt", message: `${image.stream} is damaged after entry ${at}.` })
      yield* visit(batches)
      at = next
    }
  })
