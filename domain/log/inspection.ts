import type { Offset } from "../kernel/id.ts"
import type { RecordBatch } from "./batch.ts"
import type { OffsetEntry } from "./offset-index.ts"
import type { Record } from "./record.ts"
import type { TimeEntry } from "./time-index.ts"
import type { Finding } from "./verify.ts"

/** The result of the verification of one log. Sizes in bytes; `end` is the offset after the last whole batch. */
export interface LogReport {
  /** `orders-3` where the name is known, else the name of the directory. */
  readonly name: string
  readonly directory: string
  readonly segments: number
  readonly batches: number
  readonly records: number
  readonly bytes: number
  readonly start: Offset
  readonly end: Offset
  /** Events of a journal that were read and folded; undefined for any other log. */
  readonly events: number | undefined
  readonly findings: ReadonlyArray<Finding>
  /** Findings that are not in the list. */
  readonly moreFindings: number
}

/** What a repair of one log does or would do. */
export interface RepairReport {
  readonly name: string
  readonly directory: string
  readonly findings: ReadonlyArray<Finding>
  /** Sentences, in the order in which they are done. */
  readonly steps: ReadonlyArray<string>
  /** The offsets that the repair loses: from `from` up to, but not including, `to`. */
  readonly lost: { readonly from: Offset; readonly to: Offset } | undefined
  /** Why the repair changes nothing. */
  readonly refusal: string | undefined
  /** The files with the truncated bytes; undefined before the repair. */
  readonly kept: ReadonlyArray<string> | undefined
  /** The findings of a verification after the repair; undefined before it. */
  readonly remaining: ReadonlyArray<Finding> | undefined
}

/** The pieces of a file, in their order. The bytes of a piece are valid until the next one is taken. */
export type Dumped =
  | {
      readonly _tag: "Batch"
      readonly position: number
      readonly batch: RecordBatch
      readonly records: ReadonlyArray<Record> | undefined
      readonly unreadable: string | undefined
    }
  | { readonly _tag: "Damage"; readonly position: number; readonly until: number; readonly reason: string }
  | { readonly _tag: "OffsetEntry"; readonly slot: number; readonly entry: OffsetEntry }
  | { readonly _tag: "TimeEntry"; readonly slot: number; readonly entry: TimeEntry }
