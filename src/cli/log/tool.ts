import type { Effect, Scope } from "effect"
import type { Dumped, LogReport, RepairReport } from "../../../domain/log/inspection.ts"
import type { CliFailure } from "../shell/failure.ts"

/** Inspects logs on the disk. The programs supply it, since only they import adapters. */
export interface LogTool {
  /**
   * Reads every log under a directory and changes nothing. Fails "busy" when a node holds it, unless `forceRead`;
   * `note` gets what limits the result. `progress` gets the file and the bytes that were read of it.
   */
  readonly verify: (options: {
    readonly directory: string
    readonly forceRead: boolean
    readonly note: (sentence: string) => void
    readonly progress: (file: string, bytes: number) => void
    readonly each: (report: LogReport) => void
  }) => Effect.Effect<void, CliFailure>
  /**
   * Reports how every log under a directory would be repaired. Repairs them with `execute`, and holds the directory
   * meanwhile.
   */
  readonly repair: (options: {
    readonly directory: string
    readonly execute: boolean
    readonly progress: (file: string, bytes: number) => void
    readonly each: (report: RepairReport) => void
  }) => Effect.Effect<void, CliFailure>
  /**
   * The pieces of a `.log`, `.index` or `.timeindex` file. The file is open until the scope closes; taking a piece may
   * throw an error of the disk.
   */
  readonly dump: (file: string, options: { readonly records: boolean }) => Effect.Effect<Iterable<Dumped>, CliFailure, Scope.Scope>
}
