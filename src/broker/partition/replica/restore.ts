import { Effect } from "effect"
import type { Offset } from "../../../../domain/kernel/id.ts"
import { evolve, type LogState } from "../../../../domain/log/append.ts"
import type { RecordBatch } from "../../../../domain/log/batch.ts"
import type { Crc32c } from "../../../../domain/log/crc32c.ts"
import type { EpochStart } from "../../../../domain/log/epoch-checkpoint.ts"
import { decodeProducerSnapshot, epochsMax } from "../../../../domain/log/producer-snapshot.ts"
import { expireProducers, noProducers, type ProducerState } from "../../../../domain/log/producer-state.ts"
import type { LogFault, PartitionLog } from "../../../ports/log-store.ts"
import { EpochStarts } from "./epoch-starts.ts"

export interface RestoreOptions {
  readonly crc32c: Crc32c
  /** ms since 1970. */
  readonly now: number
  /** `producer.id.expiration.ms`: producers that sent no batch for so long are forgotten. */
  readonly producerExpirationMs: number
}

/** What is derived from the records of a log. */
export interface Restored {
  readonly state: LogState
  readonly epochs: EpochStarts
  /** Batches whose headers were read, since no snapshot covers them. */
  readonly scanned: number
}

interface From {
  readonly offset: Offset
  readonly producers: ProducerState
  readonly epochs: ReadonlyArray<EpochStart> | undefined
}

/** The newest snapshot that is whole; without one the restore begins at the first batch of the log. */
const newestSnapshot = (log: PartitionLog, crc32c: Crc32c): From => {
  for (const { offset, read } of log.derived.snapshots) {
    const bytes = read()
    const snapshot = bytes === undefined ? undefined : decodeProducerSnapshot(bytes, crc32c)
    if (snapshot !== undefined) return { offset, ...snapshot }
  }
  return { offset: log.start(), producers: noProducers, epochs: undefined }
}

/**
 * The starts of both, rising: of an epoch that both have, the earlier one. The checkpoint of an emptied log has the epoch of its last record at its end, where
 * newer records may have come.
 */
const merged = (checkpoint: ReadonlyArray<EpochStart>, newer: ReadonlyArray<EpochStart>): ReadonlyArray<EpochStart> => {
  const noted = checkpoint.at(-1)
  const isFollowed = noted !== undefined && newer.some(({ epoch, offset }) => offset === noted.offset && epoch > noted.epoch)
  const older = isFollowed ? checkpoint.slice(0, -1) : checkpoint
  const last = older.at(-1)
  return [...older, ...newer.filter(({ epoch, offset }) => last === undefined || (epoch > last.epoch && offset > last.offset))]
}

/** When a batch of the log was appended, as far as its header tells. The producer's clock does not count: a producer of old records is not silent. */
const appendedAt = (batch: RecordBatch, now: number): number => (batch.timestampType === "LogAppendTime" ? Math.min(batch.maxTimestamp, now) : now)

/**
 * Restores what is derived from a log: the producers from the newest whole snapshot on, the leader epochs from their checkpoint on. Both files are caches:
 * what they lack is read from the headers of the batches.
 */
export const restore = (log: PartitionLog, { crc32c, now, producerExpirationMs }: RestoreOptions): Effect.Effect<Restored, LogFault> =>
  Effect.suspend(() => {
    const from = newestSnapshot(log, crc32c)
    const noted = log.derived.epochs()
    // Of an emptied log the checkpoint has the last epoch, at the end.
    const deleted = noted.at(-1)?.offset === log.end() ? noted.at(-1)?.epoch : undefined
    const known = deleted === undefined ? noted : noted.slice(0, -1)
    const epochs = new EpochStarts(merged(known, from.epochs ?? []), deleted)
    // The checkpoint has all epochs up to its last one, the snapshot the newest ones. Epochs between the two are in the headers only; so is that of deleted
    // records, until their segment goes.
    const isCovered =
      from.epochs !== undefined && from.epochs.length > 0 && (from.epochs.length < epochsMax || known.some(({ epoch }) => epoch === from.epochs?.[0]?.epoch))
    const scanFrom = isCovered ? from.offset : Math.min(from.offset, Math.max(known.at(-1)?.offset ?? 0, log.start()))
    let state: LogState = { end: from.offset, producers: from.producers }
    let scanned = 0
    const visit = (batch: RecordBatch): void => {
      scanned++
      if (batch.baseOffset >= from.offset) state = evolve(state, batch, appendedAt(batch, now))
      epochs.note(batch.partitionLeaderEpoch, batch.baseOffset)
    }
    return Effect.map(log.scan(scanFrom, visit), () => {
      const producers = expireProducers(state.producers, now, producerExpirationMs)
      return { state: { end: log.end(), producers }, epochs, scanned }
    })
  })
