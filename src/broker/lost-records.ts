import { Context, Effect } from "effect"
import type { Epoch, Offset } from "../../domain/kernel/id.ts"
import type { TopicIdPartition } from "./partition/topic-id-partition.ts"

/** Records that a replica removed below its own high watermark: `from` to `to - 1`. */
export interface LostRange extends TopicIdPartition {
  readonly leaderEpoch: Epoch
  readonly from: Offset
  readonly to: Offset
}

/** Reports that wait for the cluster's leader at most; further ones are in the log of the broker alone. */
const waitingMax = 1000

/**
 * The committed records that replicas of this broker removed, to follow a leader that was elected uncleanly. The
 * heartbeats report them until the cluster's leader has taken them: a report may be in the journal twice.
 */
export class LostRecords extends Context.Tag("comanche-franz/broker/LostRecords")<
  LostRecords,
  {
    readonly add: (lost: LostRange) => void
    readonly waiting: () => ReadonlyArray<LostRange>
    /** The cluster's leader has taken these reports. */
    readonly reported: (all: ReadonlyArray<LostRange>) => void
  }
>() {
  static readonly make: Effect.Effect<LostRecords["Type"]> = Effect.sync(() => {
    const all = new Set<LostRange>()
    return {
      add: (lost) => void (all.size < waitingMax && all.add(lost)),
      waiting: () => [...all],
      reported: (taken) => {
        for (const each of taken) all.delete(each)
      }
    }
  })
}
