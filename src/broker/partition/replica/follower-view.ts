import type { Offset } from "../../../../domain/kernel/id.ts"
import type { ReadablePartition } from "../../../serve/readable.ts"

/** The replica that follows. */
export interface ViewedFollower extends Pick<ReadablePartition, "topic" | "topicId" | "partition" | "start" | "end" | "batchAtTime" | "onAdvance"> {
  readonly read: (from: Offset, maxBytes: number, limit: Offset) => ReturnType<ReadablePartition["read"]>
}

/** What the replica does as a follower, under one leader epoch. */
interface ViewedFollowing {
  readonly leaderEpoch: number
  readonly readable: Offset | undefined
}

/**
 * A partition as consumers read it from a follower (KIP-392), under one leader epoch: up to what its leader has said to be
 * committed in that epoch. The high watermark of before may be above that: after an unclean election it counts records
 * that are about to be cut.
 */
export class FollowerView implements ReadablePartition {
  readonly topic: string
  readonly topicId: ReadablePartition["topicId"]
  readonly partition: number

  constructor(
    private readonly replica: ViewedFollower,
    private readonly following: ViewedFollowing
  ) {
    this.topic = replica.topic
    this.topicId = replica.topicId
    this.partition = replica.partition
  }

  readonly leaderEpoch = () => this.following.leaderEpoch
  readonly start = () => this.replica.start()
  readonly end = () => this.replica.end()
  readonly highWatermark = () => this.following.readable ?? 0
  readonly read: ReadablePartition["read"] = (from, maxBytes) => this.replica.read(from, maxBytes, this.highWatermark())
  readonly batchAtTime: ReadablePartition["batchAtTime"] = (timestamp, from) => this.replica.batchAtTime(timestamp, from)
  readonly onAdvance = (wake: () => void) => this.replica.onAdvance(wake)
}
