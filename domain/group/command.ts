import { Data } from "effect"
import type { TopicName } from "../kernel/id.ts"
import type { Protocol } from "./classic/member.ts"
import type { GroupId, MemberId } from "./id.ts"
import type { PartitionOffset, TopicPartitions } from "./offset/committed.ts"

/** Who leaves: a member by its id, or (by an administrator) a static member by its instance with an empty id. */
export interface Leaver {
  readonly memberId: MemberId
  readonly instanceId: string | null
}

/**
 * What may be asked of a group. Time (`at`, ms since the epoch) and chance (`newMemberId`) come as data.
 * Bytes in a command are kept: whoever makes it owns them (no view of a frame that is used again).
 */
export type Command = Data.TaggedEnum<{
  Join: {
    readonly groupId: GroupId
    readonly at: number
    /** Empty where the client knows none yet. */
    readonly memberId: MemberId
    /** The id it gets in that case: unique for all time. */
    readonly newMemberId: MemberId
    /** JoinGroup 4 and later: a new dynamic member is first given its id and must come again with it (KIP-394). */
    readonly memberIdRequired: boolean
    readonly instanceId: string | null
    readonly clientId: string
    readonly clientHost: string
    readonly sessionTimeoutMs: number
    /** JoinGroup 0 has none: the session timeout. */
    readonly rebalanceTimeoutMs: number
    readonly protocolType: string
    readonly protocols: ReadonlyArray<Protocol>
    /** Why the client joins (KIP-800), or empty. */
    readonly reason: string
  }
  Sync: {
    readonly groupId: GroupId
    readonly at: number
    readonly memberId: MemberId
    readonly instanceId: string | null
    readonly generation: number
    readonly protocolType: string | null
    readonly protocolName: string | null
    /** From the leader alone. */
    readonly assignments: ReadonlyArray<{ readonly memberId: MemberId; readonly assignment: Uint8Array }>
  }
  /** Changes nothing: the answer says whether the member must rejoin. Whoever asks notes that the member was heard. */
  Heartbeat: {
    readonly groupId: GroupId
    readonly memberId: MemberId
    readonly instanceId: string | null
    readonly generation: number
  }
  Leave: { readonly groupId: GroupId; readonly at: number; readonly members: ReadonlyArray<Leaver> }
  /** Nothing was heard of the member since `heardAt`. */
  ExpireMember: { readonly groupId: GroupId; readonly at: number; readonly memberId: MemberId; readonly heardAt: number }
  /** The round's time may be over. */
  CompleteJoin: { readonly groupId: GroupId; readonly at: number }
  /** The time for SyncGroup in this generation may be over. */
  ExpireSync: { readonly groupId: GroupId; readonly at: number; readonly generation: number }
  CommitOffsets: {
    readonly groupId: GroupId
    readonly at: number
    readonly memberId: MemberId
    readonly instanceId: string | null
    /** -1: from outside of the group's management. */
    readonly generation: number
    readonly offsets: ReadonlyArray<PartitionOffset>
  }
  DeleteOffsets: { readonly groupId: GroupId; readonly at: number; readonly partitions: ReadonlyArray<TopicPartitions> }
  /** The topic is gone, and with it all that was committed in it. */
  RemoveTopic: { readonly groupId: GroupId; readonly at: number; readonly topic: TopicName }
  /** Forget what is older than the retention, and the group with it when nothing is left. */
  ExpireOffsets: { readonly groupId: GroupId; readonly at: number }
  DeleteGroup: { readonly groupId: GroupId; readonly at: number }
}>
export const Command = Data.taggedEnum<Command>()
export type CommandOf<Tag extends Command["_tag"]> = Data.TaggedEnum.Value<Command, Tag>
