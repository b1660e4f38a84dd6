import type { BatchRead, LogReading } from "../history.ts"

/** One record of a log that was read. */
export interface RecordRead {
  readonly offset: number
  readonly value: string
  /** Undefined where it was not read. */
  readonly key: string | null | undefined
  readonly batch: BatchRead
}
export const recordsOf = ({ batches }: LogReading): ReadonlyArray<RecordRead> =>
  batches.flatMap((batch) =>
    batch.values.map((value, nth) => ({ offset: batch.offsets?.[nth] ?? batch.baseOffset + nth, value, key: batch.keys?.[nth], batch }))
  )
