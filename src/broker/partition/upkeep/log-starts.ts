import { Effect, Either, Schema } from "effect"
import type { Offset } from "../../../../domain/kernel/id.ts"
import { LogFault, type LogStore } from "../../../ports/log-store.ts"
import { forEachInSlices } from "../../../wire/sliced.ts"
import type { Replica } from "../replica/replica.ts"
import { keyOf, type TopicIdPartition } from "../topic-id-partition.ts"

/** The document with the first offset of each log: Kafka's log-start-offset-checkpoint. */
const checkpointName = "log-start-offsets"
const Document = Schema.parseJson(
  Schema.Struct({ v: Schema.Literal(1), starts: Schema.Record({ key: Schema.String, value: Schema.Int.pipe(Schema.nonNegative()) }) })
)
const decode = Schema.decodeUnknownEither(Document)
const encode = Schema.encodeSync(Document)
/** Documents are padded with blanks to a multiple of this, bytes: on a full disk a document is overwritten in place, and may have grown a little. */
const paddedBytes = 16_384
const bytesOf = (starts: ReadonlyMap<string, Offset>): Uint8Array => {
  const json = encode({ v: 1, starts: Object.fromEntries(starts) })
  return new TextEncoder().encode(json.padEnd(Math.ceil((json.length + 1) / paddedBytes) * paddedBytes))
}

/** A log, and the offset that it is to start at. */
export interface Raise {
  readonly replica: Replica
  readonly offset: Offset
}

/**
 * The first offsets of the logs of this broker, stored durably. Segments alone do not tell them: a start may be within a segment, and a power cut may restore a deleted one.
 * So a new start is stored first, and only then are reads refused and segments deleted: a start that a consumer has seen never goes back.
 */
export class LogStarts {
  private starts = new Map<string, Offset>()
  private readonly turn = Effect.unsafeMakeSemaphore(1)

  constructor(
    private readonly store: LogStore["Type"],
    /** The replica that is open now: the log may have been closed for a moment, to be moved, while its start was stored. */
    private readonly current: (replica: Replica) => Replica = (replica) => replica
  ) {}

  /**
   * Reads the documents of all directories: of two starts of a log the later one holds, so that none goes back when a directory is lost, or returns later.
   * Fails where a document cannot be read: an opened log would show deleted records.
   */
  readonly load: Effect.Effect<void, LogFault> = Effect.suspend(() =>
    Effect.flatMap(this.store.readCheckpoint(checkpointName), (documents) => {
      const starts = new Map<string, Offset>()
      for (const bytes of documents) {
        const read = decode(new TextDecoder().decode(bytes))
        if (Either.isLeft(read))
          return Effect.fail(
            new LogFault({
              path: checkpointName,
              reason: "corrupt",
              message: `The checkpoint ${this.store.directories[0]?.path}/checkpoints/${checkpointName} cannot be read by this version: ${read.left.message}. Start the version that wrote it, or restore the data directory from a copy.`
            })
          )
        for (const [key, start] of Object.entries(read.right.starts)) starts.set(key, Math.max(start, starts.get(key) ?? 0))
      }
      this.starts = starts
      // A disk may be full before the first start is raised: the document must exist by then.
      return documents.length > 0 ? Effect.void : Effect.ignore(this.store.writeCheckpoint(checkpointName, bytesOf(starts)))
    })
  )

  of(partition: TopicIdPartition): Offset {
    return this.starts.get(keyOf(partition)) ?? 0
  }

  /** The log was removed; the next document has no entry for it. */
  forget(partition: TopicIdPartition): void {
    this.starts.delete(keyOf(partition))
  }

  /** A follower's log is cut before its start: the start of its leader's log counts from now on. When it returns, that survives a power cut. */
  drop(partition: TopicIdPartition): Effect.Effect<void, LogFault> {
    const key = keyOf(partition)
    return this.turn.withPermits(1)(
      Effect.suspend(() => {
        if (!this.starts.has(key)) return Effect.void
        const starts = new Map(this.starts)
        starts.delete(key)
        return Effect.map(this.store.writeCheckpoint(checkpointName, bytesOf(starts)), () => void this.starts.delete(key))
      })
    )
  }

  /**
   * Raises the starts of logs with one document. Offsets must not be over the logs' ends. When it returns, the starts survive a power cut. Returns a result for each log, in
   * order: a log that cannot be synced does not stop the others, a document that cannot be written stops all of them.
   */
  raise(all: ReadonlyArray<Raise>): Effect.Effect<ReadonlyArray<Either.Either<void, LogFault>>> {
    return Effect.gen(this, function* () {
      // After a power cut a start over the durable end would be known, and the records before it lost.
      const synced = yield* forEachInSlices(all, ({ replica }) => Effect.either(replica.sync))
      const ready = all.filter((_, index) => Either.isRight(synced[index] as Either.Either<void, LogFault>))
      const written = yield* Effect.either(this.write(ready))
      if (Either.isRight(written)) for (const { offset, replica } of ready) this.current(replica).raiseStart(offset)
      return synced.map((each) => (Either.isLeft(each) ? each : written))
    }).pipe(Effect.uninterruptible)
  }

  private write(all: ReadonlyArray<Raise>): Effect.Effect<void, LogFault> {
    return this.turn.withPermits(1)(
      Effect.suspend(() => {
        const higher = all.filter(({ offset, replica }) => offset > this.of(replica))
        if (higher.length === 0) return Effect.void
        const starts = new Map(this.starts)
        for (const { offset, replica } of higher) starts.set(keyOf(replica), Math.max(offset, starts.get(keyOf(replica)) ?? 0))
        return Effect.map(this.store.writeCheckpoint(checkpointName, bytesOf(starts)), () => {
          for (const { replica } of higher) this.starts.set(keyOf(replica), starts.get(keyOf(replica)) as Offset)
        })
      })
    )
  }
}
