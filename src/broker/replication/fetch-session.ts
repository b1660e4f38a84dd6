import type { NodeConfig } from "../../../domain/kernel/config.ts"
import { groupBy } from "../../../domain/kernel/group-by.ts"
import type { NextFetch } from "../../../domain/partition/follow.ts"
import { Fetch } from "../../protocol/message/01-fetch.ts"
import type { RequestDraft, ResponseOf } from "../../protocol/type/wire.ts"
import type { TopicIdPartition } from "../partition/topic-id-partition.ts"

/** The settings of a node that say how a replica fetches. */
type FetchSettings = Pick<NodeConfig, "replica.fetch.max.bytes" | "replica.fetch.min.bytes" | "replica.fetch.response.max.bytes" | "replica.fetch.wait.max.ms">

/** A partition that a request names. */
export interface FetchedPartition extends TopicIdPartition {
  readonly next: NextFetch
  readonly logStart: number
}

type Topics = RequestDraft<typeof Fetch>["topics"]

const byTopic = <A extends TopicIdPartition>(all: Iterable<A>): ReadonlyMap<string, ReadonlyArray<A>> => groupBy(all, ({ topicId }) => topicId)

/** The epoch that opens a session, and the last one, which is followed by 1. */
const openingEpoch = 0
const lastEpoch = 0x7fff_ffff

/** The fetch session of a follower (KIP-227): a request names only the partitions whose offset or epoch is new. */
export class FollowerSession {
  private id = 0
  private epoch = openingEpoch
  private overlaps = false
  /** The partitions of the session. */
  private readonly known = new Map<string, TopicIdPartition>()

  /** What a fetch says of the broker: its id, and the epoch of its registration (KIP-903). */
  constructor(
    private readonly replicaState: { readonly replicaId: number; readonly replicaEpoch: bigint },
    private readonly settings: FetchSettings
  ) {}

  get size(): number {
    return this.known.size
  }
  /**
   * Whether a request may be sent while the one before is under way: it ends the wait of that one. The leader says so when it opens the session. It closes a
   * session that has no partitions any more.
   */
  get mayOverlap(): boolean {
    return this.overlaps && this.known.size > 0
  }

  /** The request that names these partitions, and forgets those that are not among `present`. `waitMsMax`: a shorter wait than the settings have. */
  request(named: ReadonlyMap<string, FetchedPartition>, present: ReadonlySet<string>, waitMsMax = Number.MAX_SAFE_INTEGER): RequestDraft<typeof Fetch> {
    const gone = [...this.known].filter(([key]) => !present.has(key))
    for (const [key] of gone) this.known.delete(key)
    for (const [key, partition] of named) this.known.set(key, partition)
    const { epoch } = this
    if (this.id !== 0) this.epoch = epoch === lastEpoch ? 1 : epoch + 1
    return {
      replicaState: this.replicaState,
      maxWaitMs: Math.max(0, Math.min(waitMsMax, this.settings["replica.fetch.wait.max.ms"])),
      minBytes: Math.max(0, this.settings["replica.fetch.min.bytes"]),
      maxBytes: this.settings["replica.fetch.response.max.bytes"],
      sessionId: this.id,
      sessionEpoch: epoch,
      topics: this.topics(named.values()),
      forgottenTopicsData:
        epoch === openingEpoch
          ? []
          : [...byTopic(gone.map(([, partition]) => partition))].map(([topicId, partitions]) => ({
              topicId,
              partitions: partitions.map((each) => each.partition)
            }))
    }
  }

  /** The leader answered a request. `sessionId` 0: there is no session, since it has no room for one or since this one is empty, and the next request opens one. */
  answered({ overlaps, sessionId }: Pick<ResponseOf<typeof Fetch>, "overlaps" | "sessionId">): void {
    if (sessionId !== 0 && sessionId === this.id) return
    this.id = sessionId
    this.epoch = sessionId === 0 ? openingEpoch : 1
    this.overlaps = sessionId !== 0 && overlaps
  }

  private topics(named: Iterable<FetchedPartition>): Topics {
    return [...byTopic(named)].map(([topicId, partitions]) => ({
      topicId,
      partitions: partitions.map(({ logStart, next, partition }) => ({
        partition,
        currentLeaderEpoch: next.leaderEpoch,
        fetchOffset: BigInt(next.offset),
        lastFetchedEpoch: next.lastFetchedEpoch,
        logStartOffset: BigInt(logStart),
        partitionMaxBytes: this.settings["replica.fetch.max.bytes"]
      }))
    }))
  }
}
