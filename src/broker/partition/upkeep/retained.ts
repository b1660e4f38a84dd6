import { entriesOf, type TopicConfig } from "../../../../domain/kernel/config.ts"
import type { Offset } from "../../../../domain/kernel/id.ts"
import { heldByFuture as futureSegment, type SegmentExtent, retainedStart as startToRetain } from "../../../../domain/log/retention.ts"
import type { Replica } from "../replica/replica.ts"

/** Whether retention and DeleteRecords may delete records of a topic: not where compaction alone does. */
export const mayDelete = (config: TopicConfig): boolean => entriesOf(config["cleanup.policy"]).includes("delete")

/** Where the log starts once everything is deleted that its settings do not retain; without the policy delete no age or size deletes anything. `now` in ms. */
export const retainedStart = (replica: Replica, now: number): Offset => {
  const { config } = replica
  const start = replica.start()
  if (!mayDelete(config)) return start
  const bounds = { retentionMs: config["retention.ms"], retentionBytes: config["retention.bytes"] }
  return startToRetain({ segments: replica.segments(), start, highWatermark: replica.highWatermark() }, bounds, now)
}

/** The segment that a timestamp after the broker's clock keeps from retention, if there is one. `now` in ms. */
export const heldByFuture = (replica: Replica, now: number): SegmentExtent | undefined => {
  const { config } = replica
  return mayDelete(config) ? futureSegment({ segments: replica.segments(), start: retainedStart(replica, now) }, config["retention.ms"], now) : undefined
}

/** Whether a segment ends at or before the start of the log. */
export const isTrimDue = (replica: Replica): boolean => {
  const [first] = replica.segments()
  return first !== undefined && first.endOffset > first.baseOffset && first.endOffset <= replica.start()
}
