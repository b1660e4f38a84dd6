import type { Effect } from "effect"
import type { BrokerId } from "../../../../domain/kernel/id.ts"
import type { LogFault } from "../../../ports/log-store.ts"
import type { DisownReason } from "../../../protocol/message/63-broker-heartbeat.ts"
import type { LostRange } from "../../lost-records.ts"
import type { TopicIdPartition } from "../topic-id-partition.ts"
import type { ReplicationQuota } from "./replication-quota.ts"

/** What a replica of several needs of its broker. */
export interface ReplicationServices {
  readonly nodeId: BrokerId
  /** ms by the monotonic clock. */
  readonly elapsed: () => number
  /** ms since 1970. */
  readonly now: () => number
  readonly producerExpirationMs: () => number
  /** log.flush.policy=interval: what is written counts as durable. */
  readonly countsUnsynced: boolean
  /** The brokers of a consumer's rack, undefined where this broker is one of them or consumers are not sent to others (KIP-392). */
  readonly nearTo: (rack: string) => ((broker: BrokerId) => boolean) | undefined
  /** How fast replicas that catch up copy from this broker. */
  readonly leaderQuota: ReplicationQuota
  /** The partition leader has a proposal for the cluster's leader. */
  readonly propose: (partition: TopicIdPartition) => void
  /** A replica of an internal topic has begun, or ended, to lead, or its log failed. */
  readonly internalRoleChanged: () => void
  /** The replica has begun, or ended, to follow a leader. */
  readonly followed: () => void
  /** An answer of a leader changes the log no more: the replica gets the role that it could not get meanwhile. */
  readonly logSettled: (partition: TopicIdPartition) => void
  /** The log does not have what the replica acknowledged: another replica has to lead. */
  readonly lost: (partition: TopicIdPartition, reason: DisownReason) => void
  /** The log has this fault. It may be that its directory takes no records. */
  readonly faulty: (partition: TopicIdPartition, fault: LogFault) => void
  /** Whether the directory of the log takes no records, since its disk is full. */
  readonly isUnwritable: (partition: TopicIdPartition) => boolean
  /** The stored start of the log does not count any more: the log is cut before it. */
  readonly dropStart: (partition: TopicIdPartition) => Effect.Effect<void, LogFault>
  /** Stores the high watermarks, durably: one has fallen. */
  readonly highWatermarkFell: Effect.Effect<void>
  /** The replica removes records below its high watermark. */
  readonly recordsLost: (lost: LostRange) => void
}
