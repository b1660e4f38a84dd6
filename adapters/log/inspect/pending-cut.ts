import type { Offset } from "../../../domain/kernel/id.ts"
import type { Finding } from "../../../domain/log/verify.ts"
import { type RecoveryPoint, recoveryPointFileName } from "../recovery/recovery-point.ts"

/** A recovery point that says that its log is being cut. */
export type PendingCut = RecoveryPoint & { readonly cut: "truncate" | "restart" }

/** The cut that the node did not come to the end of; undefined for any other log. */
export const pendingCut = (point: RecoveryPoint | undefined): PendingCut | undefined => (point?.cut === undefined ? undefined : (point as PendingCut))

export const cutFinding = (directory: string, { cut, offset }: PendingCut): Finding => ({
  kind: "cut",
  file: `${directory}/${recoveryPointFileName}`,
  position: undefined,
  offset,
  meaning:
    cut === "restart"
      ? `The node stopped while it restarted the log at offset ${offset}. All records that are still here will go.`
      : `The node stopped while it cut the log at offset ${offset}. What is behind that will go, and is not checked.`,
  advice: "Nothing needs to be done: the next start of the node finishes the cut."
})

const baseForm = /(\d{20})\.[a-z]+$/

/** Whether what was found concerns records that stay: the others may be in any state between two steps of the cut. */
export const concernsWhatStays = ({ file, kind, offset }: Finding, point: PendingCut): boolean => {
  if (point.cut === "restart" || kind === "lost") return false
  if (offset !== undefined) return offset < point.offset
  const base = baseForm.exec(file)?.[1]
  return base === undefined || Number(base) < point.baseOffset
}

/** Where a log with these ends will start and end. */
export const boundsAfter = ({ cut, offset }: PendingCut, start: Offset, end: Offset): { readonly start: Offset; readonly end: Offset } =>
  cut === "restart" ? { start: offset, end: offset } : { start, end: Math.min(end, offset) }
