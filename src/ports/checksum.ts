import { Context } from "effect"
import type { Crc32c } from "../../domain/log/crc32c.ts"
import type { RecordWalk } from "../../domain/log/record-walk.ts"

/**
 * The checksum of record batches, by the fastest way that works here. All ways give the same answers, however the engine holds the two offsets
 * (as integers or as doubles), and throw a RangeError for a range that is not within the bytes.
 */
export class Checksum extends Context.Tag("comanche-franz/Checksum")<
  Checksum,
  {
    readonly crc32c: Crc32c
    /** Which way was chosen, for people who ask why the processor is busy. */
    readonly name: "native" | "typescript"
    /** The walk over the records of a batch by the same native way, for those who check them; undefined where there is none. */
    readonly walkRecords?: RecordWalk
  }
>() {}
