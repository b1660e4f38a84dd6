import type { Effect, Scope } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import type { RecordBatch } from "../../../domain/log/batch.ts"
import type { OffsetEntry } from "../../../domain/log/offset-index.ts"
import type { Record } from "../../../domain/log/record.ts"
import type { TimeEntry } from "../../../domain/log/time-index.ts"
import type { Finding } from "../../../domain/log/verify.ts"
import type { CliFailure } from "../shell/failure.ts"

/** What a verification says of one log. Sizes in bytes; `end` is the offset after the last whole batch. */
export interface LogReport {
  /** `orders-3` where the name is known, else the directory's. */
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
  /** What nobody can read afterwards: from (included) to (left out). */
  readonly lost: { readonly from: Offset; readonly to: Offset } | undefined
  /** Why nothing is done. */
  readonly refusal: string | undefined
  /** Files that keep what was taken away; undefined where nothing was done yet. */
  readonly kept: ReadonlyArray<string> | undefined
  /** What a verification still finds after the repair; undefined before it. */
  readonly remaining: ReadonlyArray<Finding> | undefined
}

/** What stands in a file, piece after piece. Views last until the next one is taken. */
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

/** How logs on the disk are looked at. The programs supply it, since only they know the adapters. */
export interface LogTool {
  /**
   * Reads every log under a directory and changes nothing. Fails "busy" when a node holds it, unless `forceRead`; `note` hears what limits the result.
   * `progress` hears the file and the bytes that were read of it.
   */
  readonly verify: (options: {
    readonly directory: string
    readonly forceRead: boolean
    readonly note: (sentence: string) => void
    readonly progress: (file: string, bytes: number) => void
    readonly each: (report: LogReport) => void
  }) => Effect.Effect<void, CliFailure>
  /** Says what would make every log under a directory right; does it with `execute`, holding the directory. */
  readonly repair: (options: {
    readonly directory: string
    readonly execute: boolean
    readonly progress: (file: string, bytes: number) => void
    readonly each: (report: RepairReport) => void
  }) => Effect.Effect<void, CliFailure>
  /** The pieces of a `.log`, `.index` or `.timeindex` file. The file is open until the scope closes; taking a piece may throw what the disk throws. */
  readonly dump: (file: string, options: { readonly records: boolean }) => Effect.Effect<Iterable<Dumped>, CliFailure, Scope.Scope>
}
