import type { TopicName } from "../../kernel/id.ts"
import type { GroupId, MemberId } from "../id.ts"
import type { PartitionOffset, TopicPartitions } from "./committed.ts"

/** Commands about committed offsets, the same for every type of group. */
export type OffsetCommands = {
  CommitOffsets: {
    readonly groupId: GroupId
    readonly at: number
    readonly memberId: MemberId
    readonly instanceId: string | null
    /** -1: by a client outside of the group's management. */
    readonly generation: number
    readonly offsets: ReadonlyArray<PartitionOffset>
  }
  DeleteOffsets: { readonly groupId: GroupId; readonly at: number; readonly partitions: ReadonlyArray<TopicPartitions> }
  /** The topic was removed, and with it all offsets that were committed in it. */
  RemoveTopic: { readonly groupId: GroupId; readonly at: number; readonly topic: TopicName }
  /** Removes offsets that are older than the retention, and the group with them when it has nothing left. */
  ExpireOffsets: { readonly groupId: GroupId; readonly at: number }
}
