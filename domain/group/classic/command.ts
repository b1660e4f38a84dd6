import type { GroupId, MemberId } from "../id.ts"
import type { Protocol } from "./member.ts"

/**
 * A member that leaves, by its id; or, with an empty id, a static member by its instance, as an administrator removes
 * it.
 */
export interface LeavingMember {
  readonly memberId: MemberId
  readonly instanceId: string | null
}

/** Commands of the classic protocol. */
export type ClassicCommands = {
  Join: {
    readonly groupId: GroupId
    readonly at: number
    /** Empty where the client has no id yet. */
    readonly memberId: MemberId
    /** The id that it gets in that case: unique for all time. */
    readonly newMemberId: MemberId
    /** JoinGroup 4 and later: a new dynamic member is first given its id, and must join again with it (KIP-394). */
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
    /** From the leader of the generation alone. */
    readonly assignments: ReadonlyArray<{ readonly memberId: MemberId; readonly assignment: Uint8Array }>
  }
  /** Changes nothing: the response tells the member whether it must rejoin. The caller notes the heartbeat. */
  Heartbeat: {
    readonly groupId: GroupId
    readonly memberId: MemberId
    readonly instanceId: string | null
    readonly generation: number
  }
  Leave: { readonly groupId: GroupId; readonly at: number; readonly members: ReadonlyArray<LeavingMember> }
  /** The last heartbeat of the member was at `heardAt`. */
  ExpireMember: { readonly groupId: GroupId; readonly at: number; readonly memberId: MemberId; readonly heardAt: number }
  /** The time of the rebalance may be over. */
  CompleteJoin: { readonly groupId: GroupId; readonly at: number }
  /** The time for SyncGroup in this generation may be over. */
  ExpireSync: { readonly groupId: GroupId; readonly at: number; readonly generation: number }
}
