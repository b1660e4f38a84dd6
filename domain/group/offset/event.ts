import { Schema } from "effect"
import { eventHead } from "../event-head.ts"
import { MemberId } from "../id.ts"
import { PartitionOffset, TopicPartitions } from "./committed.ts"

/** Offsets were committed: by a member in its generation, or with -1 by a client outside of the group's management. */
export class OffsetsCommitted extends Schema.TaggedClass<OffsetsCommitted>()("OffsetsCommitted", {
  ...eventHead,
  memberId: MemberId,
  generation: Schema.Int,
  offsets: Schema.Array(PartitionOffset)
}) {}
export class OffsetsRemoved extends Schema.TaggedClass<OffsetsRemoved>()("OffsetsRemoved", {
  ...eventHead,
  reason: Schema.Literal("deleted", "expired", "topic removed"),
  removed: Schema.Array(TopicPartitions)
}) {}

export type OffsetEvent = OffsetsCommitted | OffsetsRemoved
