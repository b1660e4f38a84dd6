import { Either } from "effect"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { BrokerId, Epoch, Offset } from "../../../domain/kernel/id.ts"
import type { Fetch } from "../../protocol/message/01-fetch.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { Endpoints, type FindLeader, type TopicRef } from "../cluster/current-leader.ts"
import type { FindReadable, ReadablePartition } from "../readable.ts"
import { sizeOf, type Views } from "./record-views.ts"
import type { Source } from "./source.ts"

export type FetchRequest = RequestOf<typeof Fetch>
export type FetchResponse = ResponseDraft<typeof Fetch>
export type TopicResponse = FetchResponse["responses"][number]
export type PartitionResponse = TopicResponse["partitions"][number]

/** What a request, or its session, asks of one partition. */
export interface PartitionRequest {
  readonly ref: TopicRef
  readonly index: number
  /** The offset to read from. */
  readonly from: Offset
  /** Bytes of records that the response may have of it (`partitionMaxBytes`). */
  readonly bytesMax: number
  /** The leader epoch that the client knows; -1 for none. */
  readonly epoch: Epoch
  /** The epoch of the last record of a replica, -1 for none, and the start of its log. */
  readonly lastEpoch: Epoch
  readonly logStart: Offset
  /** Set by a pass: the throttle of its leader holds the replica, so that no records are counted for it. */
  isHeld?: boolean
}

/** The broker whose replicas fetch. */
export interface FetchingBroker {
  readonly id: number
  readonly brokerEpoch: Epoch
}

export interface PassOptions {
  readonly find: FindReadable
  readonly findLeader: FindLeader
}

/** The first version in which an error names the leader and its address (KIP-951). */
const leadersSince = 16
const readCommitted = 1

const noRecords: Views = []
const noTransactions: ReadonlyArray<never> = []

/** Bytes that a wait counts of a partition: none of one that is held, which would end the wait at once. */
export const limitOf = ({ bytesMax, isHeld }: Pick<PartitionRequest, "bytesMax" | "isHeld">): number => (isHeld === true ? 0 : Math.max(1, bytesMax))

/** One read of the requested partitions, in order, within the bytes that are left. */
export class Pass {
  /** Bytes of records read. */
  bytes = 0
  failed = false
  /** The partitions to wait for when there are too few bytes. */
  readonly sources: Array<Source> = []
  private readonly endpoints: Endpoints
  private left: number

  /** `bytesMax` below 0: the response may have no records. */
  constructor(
    private readonly options: PassOptions,
    private readonly version: number,
    private readonly isolationLevel: number,
    readonly bytesMax: number,
    private readonly reader: { readonly listener?: string | undefined; readonly broker?: FetchingBroker | undefined; readonly rack?: string } = {}
  ) {
    this.endpoints = new Endpoints(reader.listener)
    this.left = bytesMax
  }

  /** The response has no room for another batch: later partitions get only their bounds and errors. */
  get isFull(): boolean {
    return this.left <= 0 && this.bytes > 0
  }
  get nodeEndpoints() {
    return this.endpoints.list()
  }

  take(request: PartitionRequest): PartitionResponse {
    const { bytesMax, from, index, ref } = request
    const found = this.options.find(ref, index)
    if (typeof found === "string") return this.failure(request, found)
    const epoch = found.leaderEpoch()
    if (request.epoch >= 0 && request.epoch !== epoch) return this.failure(request, request.epoch < epoch ? "FENCED_LEADER_EPOCH" : "UNKNOWN_LEADER_EPOCH")
    const { broker } = this.reader
    const noted = broker === undefined ? undefined : this.note(found, request, broker)
    if (noted !== undefined) return noted
    const start = found.start()
    if (from < start || from > found.end()) return this.outOfRange(request, found, start)
    const nearer = this.nearer(found, from)
    if (nearer !== undefined) return this.redirect(request, found, nearer)
    const highWatermark = found.highWatermark()
    if (broker !== undefined) request.isHeld = found.throttle?.holds(broker.id) === true
    const records = from >= highWatermark || this.bytesMax < 0 || request.isHeld === true ? noRecords : this.read(found, from, bytesMax)
    if (typeof records === "string") return this.failure(request, records)
    if (broker !== undefined) found.throttle?.took(sizeOf(records))
    this.sources.push({ ref, index, readable: found, epoch, cursor: from, bytes: 0, limit: limitOf(request) })
    const end = BigInt(found.committed?.() ?? highWatermark)
    // Without transactions no record is undecided: the last stable offset is the high watermark.
    const sparseEnd = broker === undefined ? 0 : (found.sparseEnd?.() ?? 0)
    return {
      partitionIndex: index,
      errorCode: 0,
      highWatermark: end,
      lastStableOffset: end,
      sparseEnd: sparseEnd === 0 ? undefined : BigInt(sparseEnd),
      logStartOffset: BigInt(start),
      abortedTransactions: this.isolationLevel === readCommitted ? noTransactions : null,
      preferredReadReplica: -1,
      records
    }
  }

  /** A reader below the start may begin with a snapshot (KIP-630). */
  private outOfRange(request: PartitionRequest, found: ReadablePartition, start: Offset): PartitionResponse {
    const failure = this.failure(request, "OFFSET_OUT_OF_RANGE", start)
    const snapshot = request.from < start ? found.snapshot?.() : undefined
    return snapshot === undefined ? failure : { ...failure, snapshotId: { endOffset: BigInt(snapshot.endOffset), epoch: snapshot.epoch } }
  }

  private nearer(found: ReadablePartition, from: Offset): BrokerId | undefined {
    const { rack } = this.reader
    return rack === undefined || rack === "" ? undefined : found.nearerReplica?.(rack, from)
  }

  /** Sends a consumer to a replica near it, at once: it would wait here for nothing (KAFKA-13767). */
  private redirect({ index }: PartitionRequest, found: ReadablePartition, replica: BrokerId): PartitionResponse {
    this.failed = true
    const end = BigInt(found.highWatermark())
    return {
      partitionIndex: index,
      errorCode: 0,
      highWatermark: end,
      lastStableOffset: end,
      logStartOffset: BigInt(found.start()),
      abortedTransactions: this.isolationLevel === readCommitted ? noTransactions : null,
      preferredReadReplica: replica,
      records: noRecords
    }
  }

  /** Notes the fetch of a replica. Returns the response where it gets no records: an error, or where its log leaves this one. */
  private note(found: ReadablePartition, request: PartitionRequest, broker: FetchingBroker): PartitionResponse | undefined {
    const { epoch, from, lastEpoch, logStart } = request
    const noted =
      found.fetchedBy === undefined
        ? "UNKNOWN_LEADER_EPOCH"
        : found.fetchedBy({ ...broker, leaderEpoch: epoch, offset: from, lastFetchedEpoch: lastEpoch, logStart })
    if (noted === undefined) return undefined
    if (typeof noted === "string") return this.failure(request, noted)
    this.failed = true
    return {
      partitionIndex: request.index,
      errorCode: 0,
      highWatermark: BigInt(found.committed?.() ?? found.highWatermark()),
      logStartOffset: BigInt(found.start()),
      divergingEpoch: { epoch: noted.epoch, endOffset: BigInt(noted.endOffset) },
      abortedTransactions: null,
      records: noRecords
    }
  }

  /** Reads a batch of any size from the first partition with records, so that a small limit never stops a consumer (KIP-74); from the others only what fits. */
  private read(found: ReadablePartition, from: Offset, partitionBytesMax: number): Views | KafkaError {
    const bytesMax = Math.max(0, Math.min(partitionBytesMax, this.left))
    if (bytesMax === 0 && this.bytes > 0) return noRecords
    const { broker } = this.reader
    const read = (broker === undefined ? undefined : found.readBy?.(broker.id, from, bytesMax)) ?? found.read(from, bytesMax)
    if (Either.isLeft(read)) return "KAFKA_STORAGE_ERROR"
    // zstd batches go to every version, as in Kafka 4: clients with older versions of Fetch can read them too (KIP-110 required version 10).
    const views = read.right
    const size = sizeOf(views)
    // Batches that are dropped count too: a request of a hundred thousand partitions must not read a batch of each from disk.
    this.left -= size
    if (size > bytesMax && this.bytes > 0) return noRecords
    this.bytes += size
    return views
  }

  private failure({ index, ref }: PartitionRequest, error: KafkaError, logStart?: Offset): PartitionResponse {
    this.failed = true
    const moved = this.version >= leadersSince && (error === "NOT_LEADER_OR_FOLLOWER" || error === "FENCED_LEADER_EPOCH")
    const leader = moved ? this.endpoints.note(this.options.findLeader(ref, index)) : undefined
    return {
      partitionIndex: index,
      errorCode: errorCode(error),
      highWatermark: -1n,
      abortedTransactions: null,
      records: noRecords,
      // A replica that is out of range begins there.
      ...(logStart === undefined || this.reader.broker === undefined ? {} : { logStartOffset: BigInt(logStart) }),
      ...(leader === undefined ? {} : { currentLeader: leader })
    }
  }
}
