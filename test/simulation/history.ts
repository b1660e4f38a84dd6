import type { Violation } from "./checker/violation.ts"

/**
 * The observable history of a run: invocations and completions, what was read where, and the contents of the disks. Checkers read nothing else.
 * A position is a place in the one order of everything that was noted.
 */
export type Position = number
export const never: Position = Number.POSITIVE_INFINITY

/** fail: it did not happen, and never will. unknown: there was no answer; it may have happened or may happen yet. */
export type Outcome<A> =
  | { readonly _tag: "ok"; readonly value: A }
  | { readonly _tag: "fail"; readonly error: string }
  | { readonly _tag: "unknown"; readonly error: string }

export interface Operation<Input, A> {
  /** Who asked: a client's session; a restart begins another. */
  readonly process: string
  readonly input: Input
  readonly invoked: Position
  /** `never` while there is no answer. */
  readonly completed: Position
  readonly outcome: Outcome<A>
}

/** A partition by its topic's name. Topics that are written to are never removed in a run, so that a name is one topic. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}
export const partitionName = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`

export interface Send {
  readonly topic: string
  /** What the sender asked for; undefined where the client chose. */
  readonly partition: number | undefined
  /** Sent once in a run, by this client alone. */
  readonly value: string
  /** In a compacted topic always there. */
  readonly key?: string
  readonly acks: "all" | 1
  readonly idempotent: boolean
}
export interface Stored extends TopicPartition {
  readonly offset: number
}

/** A record that a consumer was given. */
export interface Polled extends TopicPartition {
  readonly at: Position
  /** When this session of the consumer began: it cannot have fetched the record earlier. */
  readonly since: Position
  readonly process: string
  readonly group: string
  /** The generation under which it was handed out, as the member knew it. */
  readonly generation: number
  readonly memberId: string
  readonly offset: number
  readonly value: string
}

/** A DeleteRecords of one partition: records before `offset` may be deleted (-1: all). */
export interface Trim extends TopicPartition {
  readonly offset: number
}

/** A record batch with its records. */
export interface BatchRead {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly leaderEpoch: number
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly values: ReadonlyArray<string>
  /** The offset of each; absent where each offset of the batch has its record. */
  readonly offsets?: ReadonlyArray<number>
  readonly keys?: ReadonlyArray<string | null>
}
/** A partition's log as it was read at one moment. */
export interface LogReading extends TopicPartition {
  /** When it was asked for, and when it was there. */
  readonly since: Position
  readonly at: Position
  /** "fetch": a part of it, as a broker served it. "disk": all that the disk had after a crash, and so for ever. "final": all of it, fetched when the run was over. */
  readonly source: "fetch" | "disk" | "final"
  readonly batches: ReadonlyArray<BatchRead>
  /** Where the log ended, where that is known: one that was deleted up to its end has no batch that could tell. */
  readonly end?: number
}

export interface TopicCommand {
  readonly action: "add" | "remove"
  /** Added once in a run, by this client alone. */
  readonly topic: string
}

/** One event of a journal. */
export interface JournalEvent {
  readonly index: number
  readonly commandId: string
  readonly type: string
  readonly json: string
}
export interface SnapshotRead {
  readonly index: number
  readonly json: string
}
/** A stream of the journal as a disk had it: after a crash of the leader, or when the run was over. */
export interface JournalReading {
  readonly at: Position
  readonly stream: string
  readonly events: ReadonlyArray<JournalEvent>
  readonly snapshot: SnapshotRead | undefined
}
/** What a node believed: the fingerprint of its state after the first `index` events of the stream. */
export interface ImageSeen {
  readonly at: Position
  readonly node: string
  readonly stream: string
  readonly index: number
  readonly fingerprint: string
}

/** A broker believed that it leads a partition. */
export interface RoleSeen {
  readonly broker: number
  readonly node: string
  readonly topicId: string
  readonly partition: number
  readonly leaderEpoch: number
  /** The in-sync set that it goes by; undefined for a partition with one replica. */
  readonly isr: ReadonlyArray<number> | undefined
}

export interface Commit extends TopicPartition {
  readonly group: string
  readonly memberId: string
  readonly generation: number
  readonly offset: number
}
export interface OffsetQuestion extends TopicPartition {
  readonly group: string
  /** Whether another node may have been the coordinator when this one answered, so that the answer may be old. */
  readonly mayBeOld?: boolean
}

export interface History {
  readonly sends: ReadonlyArray<Operation<Send, Stored>>
  readonly polls: ReadonlyArray<Polled>
  /** `value`: where the log starts now. */
  readonly trims: ReadonlyArray<Operation<Trim, number>>
  readonly logs: ReadonlyArray<LogReading>
  /** `value`: the topic's id, as its maker was told; "" for a removal. */
  readonly topics: ReadonlyArray<Operation<TopicCommand, string>>
  readonly journals: ReadonlyArray<JournalReading>
  readonly images: ReadonlyArray<ImageSeen>
  /** Each once. */
  readonly roles: ReadonlyArray<RoleSeen>
  /** What replicas and acknowledgements broke during the run: disks are compared at once, since they change. */
  readonly differences: ReadonlyArray<Violation>
  readonly commits: ReadonlyArray<Operation<Commit, void>>
  /** `value`: the committed offset; -1 for none. */
  readonly offsetReads: ReadonlyArray<Operation<OffsetQuestion, number>>
  /** Topics with their partition counts, for what a group must cover. */
  readonly partitions: ReadonlyMap<string, number>
  /** Topics of which the last record of each key is kept. */
  readonly compacted: ReadonlySet<string>
  /** Topics whose partitions have several replicas from their beginning on. */
  readonly replicated: ReadonlySet<string>
  /** What had not come to rest when the run was over although nothing disturbed it any more. */
  readonly unfinished: ReadonlyArray<string>
}

/** The last reading of each stream. */
export const finalJournals = ({ journals }: History): ReadonlyArray<JournalReading> => [
  ...new Map(journals.map((reading) => [reading.stream, reading])).values()
]
