import { Context } from "effect"
import type { Crc32c } from "../../domain/log/crc32c.ts"
import type { RecordWalk } from "../../domain/log/record-walk.ts"

/**
 * The checksum of record batches, by the fastest implementation that works on this machine. All implementations return
 * the same values, however the engine stores the two offsets (as integers or as doubles), and throw a RangeError for a
 * range that is not within the bytes.
 */
interface ChecksumService {
  readonly crc32c: Crc32c
  /** The implementation that was chosen, for an operator who looks for the cause of a busy processor. */
  readonly name: "native" | "typescript"
  /** Checks the records of a batch in native code; undefined where there is none. */
  readonly walkRecords?: RecordWalk
}
const ChecksumTag: Context.TagClass<Checksum, "comanche-franz/Checksum", ChecksumService> = Context.Tag("comanche-franz/Checksum")<Checksum, ChecksumService>()
/** See `ChecksumService`. */
export class Checksum extends ChecksumTag {}
