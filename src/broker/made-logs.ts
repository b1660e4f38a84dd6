import { Context, Effect, Either, Schema } from "effect"
import type { PartitionPlaced } from "../../domain/cluster/event.ts"
import { type Cluster, topicById } from "../../domain/cluster/state.ts"
import { TopicId } from "../../domain/kernel/id.ts"
import { type LogFault, LogStore } from "../ports/log-store.ts"
import { BrokerSettings } from "./broker-settings.ts"
import type { OwnDirectories } from "./own-directories.ts"
import { keyOf, type TopicIdPartition } from "./partition/topic-id-partition.ts"

const documentName = "made-logs"

const Log = Schema.Struct({ topicId: TopicId, partition: Schema.Int.pipe(Schema.nonNegative()) })
const Note = Schema.parseJson(
  Schema.Struct({
    v: Schema.Literal(1),
    /** Rises with each note. */
    generation: Schema.Int.pipe(Schema.nonNegative()),
    /** The logs of all partitions that events before this index placed here were made, but for `unmade`. */
    index: Schema.Int.pipe(Schema.nonNegative()),
    unmade: Schema.Array(Log),
    /** The ids of all data directories: the note is in each of them. */
    directories: Schema.Array(Schema.String),
    /** The copy before this one says the same: the damage of one of them hides nothing. */
    isRepeated: Schema.Boolean
  })
)
type Note = typeof Note.Type
const decode = Schema.decodeUnknownEither(Note)
const encode = Schema.encodeSync(Note)

/** Logs that were not made, of partitions that events from `since` on placed here, each with the index of its event. */
export const UnmadeSince = Schema.Struct({
  since: Schema.Int.pipe(Schema.nonNegative()),
  logs: Schema.Array(Schema.Struct({ ...Log.fields, index: Schema.Int.pipe(Schema.nonNegative()) }))
})
export type UnmadeSince = typeof UnmadeSince.Type

interface Unmade extends TopicIdPartition {
  /** The index of the event that placed the partition here; -1: the note has it. */
  readonly index: number
}

/**
 * Which logs of replicated partitions this broker has never made. A log that is missing may be lost, and then the broker
 * must not lead with an empty one; or the broker stopped between the placement of the partition and its first look at it,
 * and then it has acknowledged nothing.
 *
 * A note in every data directory has an index of the cluster's journal: all logs of partitions placed before it were
 * made. A log is made, the note is durable, and only then is the log served. The index never falls, and a note that may
 * be older than the logs is not believed: then every missing log counts as lost.
 */
export class MadeLogs extends Context.Tag("comanche-franz/broker/MadeLogs")<
  MadeLogs,
  {
    /** An event of the journal, at its index, is folded. */
    readonly placed: (event: Pick<PartitionPlaced, "topicId" | "partition" | "replicas" | "isr">, index: number) => void
    /** The image begins with the fold of all events before `index`; `unmade` is what `unmadeSince` returned then. */
    readonly resumed: (index: number, unmade: UnmadeSince | undefined) => void
    /** What a checkpoint of the image has to tell the next start; undefined where that is not known. */
    readonly unmadeSince: () => UnmadeSince | undefined
    /** Whether the directories have a note that is believed. */
    readonly isKnown: () => boolean
    /**
     * Before logs are opened: where no note can be believed, a new one is written, by which no log was never made. Its image
     * has the registration of this process then: what was placed here before may have been served by an earlier one.
     */
    readonly begin: (cluster: Cluster) => Effect.Effect<void>
    /** Whether the log was never made: this broker has acknowledged nothing for the partition. */
    readonly isUnmade: (replica: TopicIdPartition) => boolean
    /** Whether `note` has to come before the log is served. `isEmpty`: it has no record, and may be new. */
    readonly needsNote: (replica: TopicIdPartition, isEmpty: boolean) => boolean
    /** Notes that the logs were made. `cluster`: the image that places them here. When it returns, that survives a power cut. */
    readonly note: (made: ReadonlyArray<TopicIdPartition>, cluster: () => Cluster) => Effect.Effect<void, LogFault>
  }
>() {
  /** The directories are this broker's. */
  static readonly make: Effect.Effect<MadeLogs["Type"], never, LogStore | BrokerSettings | OwnDirectories> = Effect.suspend(() => make)
}

type Service = MadeLogs["Type"]
type Directories = LogStore["Type"]["directories"]

const idsOf = (directories: Directories): ReadonlyArray<string> => directories.map(({ id }) => id() ?? "").sort()

const readNotes = (documents: ReadonlyArray<Uint8Array>): ReadonlyArray<Note> =>
  documents.flatMap((bytes) => Either.match(decode(new TextDecoder().decode(bytes)), { onLeft: () => [], onRight: (note) => [note] }))

const newestOf = (notes: ReadonlyArray<Note>): Note | undefined =>
  notes.reduce<Note | undefined>((best, each) => (best === undefined || each.generation > best.generation ? each : best), undefined)

/** The newest note; undefined where a directory has none, so that a newer one may be lost, or where it was written for others than these. */
const believed = (notes: ReadonlyArray<Note>, directories: Directories): Note | undefined => {
  if (notes.length < directories.length || directories.some(({ fault }) => fault() !== undefined)) return undefined
  const ids = idsOf(directories).join()
  return notes.every((note) => note.directories.join() === ids) ? newestOf(notes) : undefined
}

/** The service over the notes that were found in the directories. */
class Notes {
  /** Logs that were not made, of partitions placed at `since` or later, and those that the note lists. */
  private readonly unmade = new Map<string, Unmade>()
  /** Undefined: it is not known which logs were not made. */
  private since: number | undefined
  /** The directories have a note that is no older than what this process has served. */
  private isStored: boolean
  private generation: number
  private readonly turn = Effect.unsafeMakeSemaphore(1)

  constructor(
    private readonly store: LogStore["Type"],
    private readonly nodeId: number,
    notes: ReadonlyArray<Note>
  ) {
    const found = believed(notes, store.directories)
    for (const log of found?.unmade ?? []) this.unmade.set(keyOf(log), { ...log, index: -1 })
    this.since = found?.index
    this.isStored = found !== undefined && notes.every(({ generation, isRepeated }) => isRepeated && generation === found.generation)
    this.generation = newestOf(notes)?.generation ?? 0
  }

  readonly placed: Service["placed"] = ({ isr, partition, replicas, topicId }, index) => {
    if (this.since === undefined || index < this.since || replicas.length === 1 || !isr.some((id) => id === this.nodeId)) return
    this.unmade.set(keyOf({ topicId, partition }), { topicId, partition, index })
  }

  readonly resumed: Service["resumed"] = (index, saved) => {
    const { since, unmade } = this
    if (since === undefined || index <= since) return
    if (saved !== undefined && saved.since <= since) {
      for (const log of saved.logs) if (log.index >= since) unmade.set(keyOf(log), log)
      return
    }
    this.since = undefined
    this.isStored = false
    unmade.clear()
  }

  readonly unmadeSince: Service["unmadeSince"] = () =>
    this.since === undefined ? undefined : { since: this.since, logs: [...this.unmade.values()].filter(({ index }) => index >= 0) }

  readonly isKnown: Service["isKnown"] = () => this.since !== undefined

  readonly begin: Service["begin"] = (cluster) => {
    this.since ??= cluster.index
    if (this.isStored) return Effect.void
    return Effect.catchAll(
      this.note([], () => cluster),
      ({ message }) =>
        Effect.logWarning(
          `The document ${documentName} could not be written: ${message} New replicas are served when it is. If this broker stops before, logs that it did not make count as lost.`
        )
    )
  }

  readonly isUnmade: Service["isUnmade"] = (replica) => this.unmade.size > 0 && this.unmade.has(keyOf(replica))
  readonly needsNote: Service["needsNote"] = (replica, isEmpty) => (isEmpty && !this.isStored) || this.isUnmade(replica)

  readonly note: Service["note"] = (made, cluster) => Effect.uninterruptible(this.turn.withPermits(1)(Effect.suspend(() => this.write(made, cluster()))))

  private write(made: ReadonlyArray<TopicIdPartition>, cluster: Cluster): Effect.Effect<void, LogFault> {
    const { store, unmade } = this
    const done = new Set(made.map(keyOf))
    // A topic that is removed needs no log.
    for (const [key, { topicId }] of unmade) if (topicById(cluster, topicId) === undefined) done.add(key)
    const next = {
      v: 1 as const,
      generation: ++this.generation,
      // A journal that was restored from an older copy has fewer events: what was placed by those that it lacks is not told apart.
      index: Math.max(cluster.index, this.since ?? 0),
      unmade: [...unmade].filter(([key]) => !done.has(key)).map(([, { partition, topicId }]) => ({ topicId, partition })),
      directories: idsOf(store.directories)
    }
    const put = (isRepeated: boolean) => store.writeCheckpoint(documentName, new TextEncoder().encode(encode({ ...next, isRepeated })), true)
    // Twice, so that both copies of each directory have it: an older one would call a lost log never made.
    return Effect.map(Effect.zipRight(put(false), put(true)), () => {
      this.isStored = true
      this.since = next.index
      for (const key of done) unmade.delete(key)
    })
  }
}

const make = Effect.gen(function* () {
  const store = yield* LogStore
  const { nodeId } = yield* BrokerSettings
  const documents = yield* Effect.orElseSucceed(store.readCheckpoint(documentName), () => [])
  return MadeLogs.of(new Notes(store, nodeId, readNotes(documents)))
})
