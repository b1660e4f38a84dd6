import { Effect, Either, Schema } from "effect"
import type { Offset, TopicId } from "../../../../domain/kernel/id.ts"
import { LogFault, type LogStore } from "../../../ports/log-store.ts"
import { forEachInSlices } from "../../../wire/sliced.ts"
import type { PartitionOwner } from "../replica/owner.ts"

/** The document that says where logs start: Kafka's log-start-offset-checkpoint. */
const checkpointName = "log-start-offsets"
const Document = Schema.parseJson(
  Schema.Struct({ v: Schema.Literal(1), starts: Schema.Record({ key: Schema.String, value: Schema.Int.pipe(Schema.nonNegative()) }) })
)
const decode = Schema.decodeUnknownEither(Document)
const encode = Schema.encodeSync(Document)
/** Documents are filled up with blanks to a multiple of this, bytes: on a full disk one is written over where it lies, and may have grown a little. */
const roomBytes = 16_384
const bytesOf = (starts: ReadonlyMap<string, Offset>): Uint8Array => {
  const json = encode({ v: 1, starts: Object.fromEntries(starts) })
  return new TextEncoder().encode(json.padEnd(Math.ceil((json.length + 1) / roomBytes) * roomBytes))
}

interface Place {
  readonly topicId: TopicId
  readonly partition: number
}
const keyOf = ({ topicId, partition }: Place): string => `${topicId}-${partition}`

/** A log that shall start later than it does. */
export interface Raise {
  readonly owner: PartitionOwner
  readonly offset: Offset
}

/**
 * Where the logs of this broker start, durably. Segments alone cannot tell: a start may lie within one, and a power cut may bring a deleted one back.
 * So the new start is written down first, and only then is anything refused or deleted: a start that somebody saw never goes back.
 */
export class LogStarts {
  private starts = new Map<string, Offset>()
  private readonly turn = Effect.unsafeMakeSemaphore(1)

  constructor(private readonly store: LogStore["Type"]) {}

  /**
   * Reads what was written down, in every directory: of two documents the later start holds, so that none goes back when a directory is lost, or comes back after
   * a while. Fails where the disk does not tell: opening a log then would show records that were deleted.
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
      // A disk that is full before anything was let go of must have the place where that is written down.
      return documents.length > 0 ? Effect.void : Effect.ignore(this.store.writeCheckpoint(checkpointName, bytesOf(starts)))
    })
  )

  of(place: Place): Offset {
    return this.starts.get(keyOf(place)) ?? 0
  }

  /** The log is gone; its entry goes with the next document. */
  forget(place: Place): void {
    this.starts.delete(keyOf(place))
  }

  /**
   * Raises the starts of logs, all with one document. Offsets must not lie over the logs' ends. When it returns, the starts hold across a power cut. Answers for
   * each log in order; one that cannot be synced does not stop the others, a document that cannot be written stops all.
   */
  raise(all: ReadonlyArray<Raise>): Effect.Effect<ReadonlyArray<Either.Either<void, LogFault>>> {
    return Effect.gen(this, function* () {
      // A start over the durable end would be found before the records that lead up to it.
      const synced = yield* forEachInSlices(all, ({ owner }) => Effect.either(owner.sync))
      const ready = all.filter((_, index) => Either.isRight(synced[index] as Either.Either<void, LogFault>))
      const written = yield* Effect.either(this.write(ready))
      if (Either.isRight(written)) for (const { offset, owner } of ready) owner.raiseStart(offset)
      return synced.map((each) => (Either.isLeft(each) ? each : written))
    }).pipe(Effect.uninterruptible)
  }

  private write(all: ReadonlyArray<Raise>): Effect.Effect<void, LogFault> {
    return this.turn.withPermits(1)(
      Effect.suspend(() => {
        const higher = all.filter(({ offset, owner }) => offset > this.of(owner))
        if (higher.length === 0) return Effect.void
        const starts = new Map(this.starts)
        for (const { offset, owner } of higher) starts.set(keyOf(owner), Math.max(offset, starts.get(keyOf(owner)) ?? 0))
        return Effect.map(this.store.writeCheckpoint(checkpointName, bytesOf(starts)), () => {
          for (const { owner } of higher) this.starts.set(keyOf(owner), starts.get(keyOf(owner)) as Offset)
        })
      })
    )
  }
}
