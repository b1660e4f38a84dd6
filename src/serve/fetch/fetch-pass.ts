import { Either } from "effect"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { Epoch, Offset } from "../../../domain/kernel/id.ts"
import type { Fetch } from "../../protocol/message/01-fetch.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { Endpoints, type FindLeader, type TopicRef } from "../cluster/current-leader.ts"
import type { FindReadable, ReadablePartition } from "../readable.ts"
import { sizeOf, type Views } from "./record-views.ts"
import type { Source } from "./source.ts"

export type FetchRequest = RequestOf<typeof Fetch>
export type FetchAnswer = ResponseDraft<typeof Fetch>
export type TopicAnswer = FetchAnswer["responses"][number]
export type PartitionAnswer = TopicAnswer["partitions"][number]

/** What a request, or the session that it goes on with, asks of one partition. */
export interface Wanted {
  readonly ref: TopicRef
  readonly index: number
  /** The offset to read from. */
  readonly from: Offset
  /** Bytes of records that it may give (`partitionMaxBytes`). */
  readonly bytesMax: number
  /** The leader epoch that the client knows; -1 for none. */
  readonly epoch: Epoch
}

export interface PassOptions {
  readonly find: FindReadable
  readonly findLeader: FindLeader
}

/** From this version on an error names the leader and its address (KIP-951). */
const leadersSince = 16
const readCommitted = 1

const noRecords: Views = []
const noTransactions: ReadonlyArray<never> = []

/** One walk over partitions that are asked for, in their order: what each gives, within the bytes that are left. */
export class Pass {
  /** Bytes of records that it gives. */
  bytes = 0
  failed = false
  /** What may be waited for when there are too few bytes. */
  readonly sources: Array<Source> = []
  private readonly endpoints: Endpoints
  private left: number

  /** `bytesMax` below 0: there is no room for records at all. */
  constructor(
    private readonly options: PassOptions,
    private readonly version: number,
    private readonly isolationLevel: number,
    readonly bytesMax: number,
    listener?: string | undefined
  ) {
    this.endpoints = new Endpoints(listener)
    this.left = bytesMax
  }

  /** No room for another batch: what comes now is told its bounds and errors only. */
  get isFull(): boolean {
    return this.left <= 0 && this.bytes > 0
  }
  get nodeEndpoints() {
    return this.endpoints.list()
  }

  take(wanted: Wanted): PartitionAnswer {
    const { bytesMax, from, index, ref } = wanted
    const found = this.options.find(ref, index)
    if (typeof found === "string") return this.failure(wanted, found)
    const epoch = found.leaderEpoch()
    if (wanted.epoch >= 0 && wanted.epoch !== epoch) return this.failure(wanted, wanted.epoch < epoch ? "FENCED_LEADER_EPOCH" : "UNKNOWN_LEADER_EPOCH")
    const start = found.start()
    if (from < start || from > found.end()) return this.failure(wanted, "OFFSET_OUT_OF_RANGE")
    const highWatermark = found.highWatermark()
    const records = from >= highWatermark || this.bytesMax < 0 ? noRecords : this.read(found, from, bytesMax)
    if (typeof records === "string") return this.failure(wanted, records)
    this.sources.push({ ref, index, readable: found, epoch, cursor: from, bytes: 0, limit: Math.max(1, bytesMax) })
    const end = BigInt(highWatermark)
    // Without transactions every record is decided as soon as it is there: the last stable offset is the high watermark.
    return {
      partitionIndex: index,
      errorCode: 0,
      highWatermark: end,
      lastStableOffset: end,
      logStartOffset: BigInt(start),
      abortedTransactions: this.isolationLevel === readCommitted ? noTransactions : null,
      preferredReadReplica: -1,
      records
    }
  }

  /** The first partition that has anything gives a batch whatever its size, so that a small limit never stops a consumer (KIP-74); the others keep to what is left. */
  private read(found: ReadablePartition, from: Offset, partitionBytesMax: number): Views | KafkaError {
    const bytesMax = Math.max(0, Math.min(partitionBytesMax, this.left))
    if (bytesMax === 0 && this.bytes > 0) return noRecords
    const read = found.read(from, bytesMax)
    if (Either.isLeft(read)) return "KAFKA_STORAGE_ERROR"
    // zstd goes to every version, as in Kafka 4: clients that speak only older versions of Fetch read it nevertheless (KIP-110 asked for version 10).
    const views = read.right
    const size = sizeOf(views)
    // What was read for nothing counts too: a request that names a hundred thousand partitions must not have a batch of each read from disk.
    this.left -= size
    if (size > bytesMax && this.bytes > 0) return noRecords
    this.bytes += size
    return views
  }

  private failure({ index, ref }: Wanted, error: KafkaError): PartitionAnswer {
    this.failed = true
    const moved = this.version >= leadersSince && (error === "NOT_LEADER_OR_FOLLOWER" || error === "FENCED_LEADER_EPOCH")
    const leader = moved ? this.endpoints.note(this.options.findLeader(ref, index)) : undefined
    return {
      partitionIndex: index,
      errorCode: errorCode(error),
      highWatermark: -1n,
      abortedTransactions: null,
      records: noRecords,
      ...(leader === undefined ? {} : { currentLeader: leader })
    }
  }
}
