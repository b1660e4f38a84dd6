/** The smallest and the largest timestamp delta of the records of a batch, ms: safe integers. */
interface TimestampDeltas {
  readonly min: number
  readonly max: number
}

/**
 * Walks `count` records in `bytes` from `at` to `end`, and returns their timestamp deltas where the records are right:
 * RecordCheck finds no fault in them but in their times, and each has a key if `needsKeys`. Undefined where one is not,
 * or may not be: RecordCheck then says which, and why. Throws a RangeError for a range that is not within the bytes.
 */
export type RecordWalk = (bytes: Uint8Array, at: number, end: number, count: number, needsKeys: boolean) => TimestampDeltas | undefined
