import { Schema } from "effect"
import type { MemberId } from "../id.ts"

/**
 * An assignor that a member supports, with the member's metadata for the leader of the generation (Kafka's
 * ConsumerProtocolSubscription, or bytes of another kind of client).
 */
export const Protocol = Schema.Struct({ name: Schema.String, metadata: Schema.Uint8ArrayFromBase64 })
export type Protocol = typeof Protocol.Type

/** One member of a classic group. */
export interface Member {
  readonly memberId: MemberId
  /** `group.instance.id` of a static member (KIP-345), else null. */
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** What it supports, in the order it prefers. */
  readonly protocols: ReadonlyArray<Protocol>
  /** What the leader of the generation gave it: opaque; empty until then. */
  readonly assignment: Uint8Array
  /** Has joined the round that is in progress: its JoinGroup waits for the next generation. */
  readonly joined: boolean
  /** Has asked for its assignment in this generation. */
  readonly synced: boolean
  /** Waits in its first round: it cannot heartbeat yet. */
  readonly isNew: boolean
}

export const noBytes = new Uint8Array(0)

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/**
 * Returns whether these are the same assignors in the same order with the same metadata: then a rebalance would change
 * nothing.
 */
export const sameProtocols = (a: ReadonlyArray<Protocol>, b: ReadonlyArray<Protocol>): boolean =>
  a.length === b.length && a.every((protocol, i) => protocol.name === b[i]?.name && sameBytes(protocol.metadata, b[i].metadata))

/** Returns the member's metadata for the assignor; empty when the member does not support it. */
export const metadataOf = (member: Member, protocolName: string | null): Uint8Array =>
  member.protocols.find((protocol) => protocol.name === protocolName)?.metadata ?? noBytes
