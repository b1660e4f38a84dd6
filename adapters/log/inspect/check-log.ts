import { basename } from "node:path"
import { Effect } from "effect"
import type { TopicId } from "../../../domain/kernel/id.ts"
import type { RecordBatch } from "../../../domain/log/batch.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import type { Finding } from "../../../domain/log/verify.ts"
import type { LogFault } from "../../../src/ports/log-store.ts"
import { CheckpointReader } from "../disk/checkpoint.ts"
import type { LogLocation } from "./data-directories.ts"
import { type InspectionFault, inspectedDisk, reading } from "./inspected-directories.ts"
import { segmentPieces } from "./segment-walk.ts"
import { type VerifiedLog, verifyLog } from "./verify-log.ts"

/** The stream of a log, and the name of the checkpoint with its snapshot. */
interface InspectedStream {
  readonly stream: string
  readonly snapshotName: string
}

/** A batch of a journal, and where it is stored. */
export interface JournalBatch {
  readonly file: string
  readonly position: number
  readonly batch: RecordBatch
}

/** What the events of a journal come to. */
interface CheckedJournal {
  /** Events that were read and known. */
  readonly events: number
  readonly findings: ReadonlyArray<Finding>
  /** Names of the topics that the cluster has; empty for the journals of groups. */
  readonly topics: ReadonlyMap<TopicId, string>
}

/** What inspection has to know of journals: a log does not know what its records mean. The program supplies it. */
export interface JournalInspection {
  /** Returns the stream whose log this is; undefined for any other log. */
  readonly streamOf: (log: LogLocation) => InspectedStream | undefined
  /**
   * Reads the whole batches of a journal as its leader would. `snapshot` is the document of the stream's checkpoint.
   */
  readonly check: (
    stream: string,
    log: { readonly directory: string; readonly start: number; readonly end: number },
    snapshot: Uint8Array | undefined,
    batches: Iterable<JournalBatch>
  ) => CheckedJournal
  /** Returns the index of a snapshot; undefined for a document that is none. */
  readonly snapshotIndex: (snapshot: Uint8Array) => number | undefined
}

/** A log as it was checked. */
export interface CheckedLog {
  readonly log: VerifiedLog
  /** Events of a journal; undefined for any other log. */
  readonly events: number | undefined
  readonly findings: ReadonlyArray<Finding>
}

/** The batches of a log up to where it breaks, in order. */
function* batchesOf({ firstBreak, segments }: VerifiedLog, crc32c: Crc32c): Generator<JournalBatch> {
  for (const { baseOffset, path, sizeInBytes } of segments) {
    const isLast = firstBreak?.baseOffset === baseOffset
    const file = inspectedDisk.open(path.log, "read")
    try {
      for (const piece of segmentPieces(file, isLast ? (firstBreak?.position ?? sizeInBytes) : sizeInBytes, crc32c, () => 0)) {
        if (piece._tag === "Damage") return
        yield { file: path.log, position: piece.position, batch: piece.batch }
      }
    } finally {
      file.close()
    }
    if (isLast) return
  }
}

/** Checks the logs of data directories, one after the other. It learns the topics' names from the leader's journal. */
export class LogChecks {
  private readonly names = new Map<TopicId, string>()

  constructor(
    private readonly journals: JournalInspection,
    private readonly crc32c: Crc32c,
    private readonly progress: (file: string, bytes: number) => void
  ) {}

  /** `orders-3` where the name of the topic is known, a journal's stream, else the directory's name. */
  nameOf(log: LogLocation): string {
    const journal = this.journals.streamOf(log)
    if (journal !== undefined) return journal.stream
    const topic = log.topicId === undefined ? undefined : this.names.get(log.topicId)
    return topic === undefined ? basename(log.directory) : `${topic}-${log.partition}`
  }

  /** Checks the log's own structure, and for a journal the fold of its events. */
  check(root: string, place: LogLocation): Effect.Effect<CheckedLog, InspectionFault | LogFault> {
    return Effect.gen(this, function* () {
      const log = yield* reading(place.directory, () => verifyLog(inspectedDisk, place.directory, this.crc32c, this.progress))
      const journal = this.journals.streamOf(place)
      if (journal === undefined) return { log, events: undefined, findings: log.findings }
      const snapshot = yield* this.snapshot(root, journal)
      const bounds = { directory: log.directory, start: log.start, end: log.firstBreak?.offset ?? log.end }
      const checked = yield* reading(place.directory, () => this.journals.check(journal.stream, bounds, snapshot, batchesOf(log, this.crc32c)))
      for (const [topicId, name] of checked.topics) this.names.set(topicId, name)
      return { log, events: checked.events, findings: [...log.findings, ...checked.findings] }
    })
  }

  /**
   * The index of the newest snapshot of the journal in this log; undefined where there is none, and for any other log.
   */
  snapshotIndex(root: string, place: LogLocation): Effect.Effect<number | undefined, LogFault> {
    const journal = this.journals.streamOf(place)
    if (journal === undefined) return Effect.succeed(undefined)
    return Effect.map(this.snapshot(root, journal), (bytes) => (bytes === undefined ? undefined : this.journals.snapshotIndex(bytes)))
  }

  private snapshot(root: string, { snapshotName }: InspectedStream): Effect.Effect<Uint8Array | undefined, LogFault> {
    return new CheckpointReader(inspectedDisk, root, this.crc32c).read(snapshotName)
  }
}
