import { Effect } from "effect"
import type { Epoch } from "../../../../domain/kernel/id.ts"
import { evolve, type LogState } from "../../../../domain/log/append.ts"
import type { RecordBatch } from "../../../../domain/log/batch.ts"
import type { Crc32c } from "../../../../domain/log/crc32c.ts"
import type { EpochStart } from "../../../../domain/log/epoch-checkpoint.ts"
import { encodeProducerSnapshot } from "../../../../domain/log/producer-snapshot.ts"
import type { LogFault, PartitionLog } from "../../../ports/log-store.ts"
import type { EpochStarts } from "./epoch-starts.ts"
import { type Restored, type RestoreOptions, restore } from "./restore.ts"

/** What is folded from the batches of a log: its end, the producers and the leader epochs. Stored beside the log from `keep` on. */
export class DerivedState {
  /** Replaced with each batch. */
  log: LogState
  epochs: EpochStarts

  constructor(
    private readonly files: PartitionLog,
    { epochs, state }: Restored,
    private readonly crc32c: Crc32c
  ) {
    this.log = state
    this.epochs = epochs
  }

  keep(): void {
    const { files } = this
    files.derived.keep({
      snapshot: () => encodeProducerSnapshot(this.log.producers, this.recordEpochs(), this.crc32c),
      epochs: () => this.epochs.kept(files.end())
    })
  }

  /** The leader epochs that have records. */
  readonly recordEpochs = (): ReadonlyArray<EpochStart> => this.epochs.startsBefore(this.files.end())

  /** The leader epoch of the last record, also where that one is deleted; -1 where there was none, or it is not known. */
  readonly lastRecordEpoch = (): Epoch => this.epochs.lastBefore(this.files.end()) ?? -1

  /** Whether readers find no record: there was none, or all are deleted. */
  get isEmpty(): boolean {
    return this.recordEpochs().length === 0
  }

  /** The leader epochs by which the log is compared with its leader's. */
  readonly comparedEpochs = (): ReadonlyArray<EpochStart> => this.epochs.compared(this.files.end())

  /** Forgets the epochs in which this replica led without a record: the log has nothing of them (KAFKA-10706). */
  forgetEmptyEpochs(): void {
    this.epochs = this.epochs.withoutEmpty(this.files.end())
  }

  /** Folds batches that were appended as they are. `now` in ms. */
  follow(batches: ReadonlyArray<RecordBatch>, now: number): void {
    for (const batch of batches) {
      this.log = evolve(this.log, batch, now)
      this.epochs.note(batch.partitionLeaderEpoch, batch.baseOffset)
    }
  }

  /** Folds the log again after it was cut. */
  refold(options: Omit<RestoreOptions, "crc32c">): Effect.Effect<void, LogFault> {
    return Effect.map(restore(this.files, { ...options, crc32c: this.crc32c }), ({ epochs, state }) => {
      this.log = state
      this.epochs = epochs
      epochs.forgetBefore(this.files.start())
      this.keep()
    })
  }
}
