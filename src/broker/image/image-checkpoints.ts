import { type Context, Effect, Either } from "effect"
import { runSteps } from "../../ports/event-loop.ts"
import type { LogStore } from "../../ports/log-store.ts"
import { type ImageCheckpoint, readCheckpoint, writeCheckpoint } from "./checkpoint-form.ts"

/** The document's name in the data directories. */
const documentName = "cluster-image"
/** Bytes of events after which a checkpoint is written, also before `metadata.snapshot.interval.events`. */
const intervalBytes = 32 * 1024 * 1024
/** A clean shutdown writes no checkpoint for fewer events: the next start folds them in a few milliseconds. */
const eventsAtStopMin = 1000
/** Characters of a schema's reason that a line has. */
const reasonCharactersMax = 200

interface ImageCheckpointsOptions {
  /** The cluster that the data directories belong to; undefined where they belong to none yet. */
  readonly clusterId: string | undefined
  /** `metadata.snapshot.interval.events` */
  readonly intervalEvents: number
}

/**
 * The broker's own copies of its image, so that a start need not read the whole journal. A copy is a cache: one that is
 * damaged, of another cluster, of another version, or not of the leader's journal is left aside with a line in the log,
 * and the journal is read from its beginning.
 */
export class ImageCheckpoints {
  /** Events and bytes since the last checkpoint, or since the start. */
  private events = 0
  private bytes = 0
  private isWriting = false

  constructor(
    private readonly store: Context.Tag.Service<typeof LogStore>,
    private readonly options: ImageCheckpointsOptions
  ) {}

  /** Reads the newest checkpoint of the data directories; undefined where there is none that can be used. */
  readonly load: Effect.Effect<ImageCheckpoint | undefined> = Effect.suspend(() =>
    this.store.readCheckpoint(documentName).pipe(
      Effect.catchAll(({ message }) => Effect.as(leaveAside(message), [])),
      Effect.flatMap((documents) => Effect.forEach(documents, (document) => this.usable(document))),
      Effect.map((read) =>
        read.reduce<ImageCheckpoint | undefined>(
          (best, each) => (each !== undefined && (best === undefined || each.cluster.index > best.cluster.index) ? each : best),
          undefined
        )
      )
    )
  )

  private usable(document: Uint8Array): Effect.Effect<ImageCheckpoint | undefined> {
    return Effect.flatMap(runSteps(readCheckpoint(document)), (read) => {
      if (Either.isLeft(read)) return Effect.as(leaveAside(`this version cannot read it: ${read.left.slice(0, reasonCharactersMax)}`), undefined)
      const { clusterId } = read.right.cluster
      if (clusterId !== undefined && clusterId === this.options.clusterId) return Effect.succeed(read.right)
      return Effect.as(leaveAside(`it is of cluster ${clusterId}, and the data directory belongs to ${this.options.clusterId ?? "no cluster yet"}`), undefined)
    })
  }

  /** Counts events that were folded. */
  count(events: number, bytes: number): void {
    this.events += events
    this.bytes += bytes
  }

  /** Writes a checkpoint of the present state, if one is due and none is being written; undefined otherwise. */
  writeIfDue(image: () => ImageCheckpoint | undefined): Effect.Effect<void> | undefined {
    if (this.isWriting || (this.events < this.options.intervalEvents && this.bytes < intervalBytes)) return undefined
    return this.write(image())
  }

  /** Writes a checkpoint at a clean shutdown, where it saves the next start more than this costs. */
  readonly writeAtStop = (image: () => ImageCheckpoint | undefined): Effect.Effect<void> =>
    Effect.suspend(() => (this.events < eventsAtStopMin ? Effect.void : this.write(image())))

  private write(image: ImageCheckpoint | undefined): Effect.Effect<void> {
    if (image === undefined) return Effect.void
    this.isWriting = true
    this.events = this.bytes = 0
    return runSteps(writeCheckpoint(image)).pipe(
      Effect.flatMap((document) => this.store.writeCheckpoint(documentName, document, true)),
      Effect.catchAll(({ message }) =>
        Effect.logWarning(
          `No checkpoint of the cluster's image at event ${image.cluster.index}, so the next start of this broker reads further back: ${message}`
        )
      ),
      Effect.ensuring(Effect.sync(() => void (this.isWriting = false)))
    )
  }
}

/** Logs why a checkpoint is not used. */
export const leaveAside = (reason: string): Effect.Effect<void> =>
  Effect.logWarning(`The checkpoint of the cluster's image is not used: ${reason}. The broker reads the leader's journal from its beginning.`)
