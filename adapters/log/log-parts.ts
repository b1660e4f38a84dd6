import type { Effect } from "effect"
import type { LogConfig } from "../../src/ports/log-store.ts"
import type { SharedSync } from "./disk/shared-sync.ts"
import type { Pace } from "./disk/slices.ts"
import type { SyncTimes } from "./disk/sync-times.ts"
import type { OpenContext } from "./recovery/open-segments.ts"
import type { RecoveryPointFile } from "./recovery/recovery-point.ts"
import type { Scrubber } from "./scrub/scrubber.ts"
import type { SyncPoint } from "./segment/segment-list.ts"
import type { LogTail } from "./segment/tail-cache.ts"

/** What a log gets from its store. */
export interface LogParts extends Omit<OpenContext, "now" | "compacted"> {
  readonly config: LogConfig
  /** The data directory: a new log's directory is an entry in it. */
  readonly root: string
  readonly recoveryPoint: RecoveryPointFile
  readonly tail: LogTail
  readonly pace: Pace
  readonly scrubber: Scrubber
  readonly syncTimes: SyncTimes
  /** The syncs that the logs of the data directory share. */
  readonly shared: SharedSync<SyncPoint>
  /** ms since 1970. */
  readonly clock: () => number
  readonly fork: (effect: Effect.Effect<void>) => void
}
