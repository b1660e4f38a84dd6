import { Effect, Either } from "effect"
import { errorCode, type KafkaError } from "../../domain/kernel/error-code.ts"
import type { Offset, TopicId } from "../../domain/kernel/id.ts"
import { Fetch } from "../protocol/message/01-fetch.ts"
import type { RequestOf, ResponseDraft } from "../protocol/type/wire.ts"
import { Endpoints, type FindLeader, type TopicRef } from "./current-leader.ts"
import type { Deadlines } from "./deadlines.ts"
import { type Source, waitForBytes } from "./fetch-wait.ts"
import type { FindReadable, ReadablePartition } from "./readable.ts"
import { beforeZstd, sizeOf, type Views } from "./record-views.ts"

type Request = RequestOf<typeof Fetch>
type Response = ResponseDraft<typeof Fetch>
type Wanted = Request["topics"][number]["partitions"][number]
type Answer = Response["responses"][number]["partitions"][number]

export interface FetchOptions {
  readonly find: FindReadable
  readonly findLeader: FindLeader
  /** The cluster this node belongs to, as soon as it knows: a fetch that names another is refused. */
  readonly clusterId: () => string | undefined
  /** Bytes of records in one answer, whatever the client allows (`fetch.max.bytes`); one batch is always given. */
  readonly fetchBytesMax: number
  /** Ends waits; without it each wait has a timer of its own, which is fine where few wait. */
  readonly deadlines?: Deadlines
}

/** From this version on topics are named by id alone (KIP-516). */
const topicIdsSince = 13
/** From this version on a client reads zstd (KIP-110). */
const zstdSince = 10
/** From this version on an error names the leader and its address (KIP-951). */
const leadersSince = 16
const readCommitted = 1

const noRecords: Views = []
const noTransactions: ReadonlyArray<never> = []

/** One walk over everything a request asks for, in its order. */
class Pass {
  bytes = 0
  failed = false
  /** What may be waited for when there are too few bytes. */
  readonly sources: Array<Source> = []
  readonly endpoints = new Endpoints()
  private left: number

  constructor(
    private readonly options: FetchOptions,
    private readonly request: Request,
    private readonly version: number
  ) {
    this.left = Math.max(0, Math.min(request.maxBytes, options.fetchBytesMax))
  }

  response(): Response {
    const responses = this.request.topics.map(({ topic, topicId, partitions }) => {
      const ref: TopicRef = this.version >= topicIdsSince ? { topicId: topicId as TopicId } : { name: topic }
      return { topic, topicId, partitions: partitions.map((wanted) => this.partition(ref, wanted)) }
    })
    return { throttleTimeMs: 0, errorCode: 0, sessionId: 0, responses, nodeEndpoints: this.endpoints.list() }
  }

  private partition(ref: TopicRef, wanted: Wanted): Answer {
    const found = this.options.find(ref, wanted.partition)
    if (typeof found === "string") return this.failure(ref, wanted, found)
    const asked = wanted.currentLeaderEpoch
    const epoch = found.leaderEpoch()
    if (asked >= 0 && asked !== epoch) return this.failure(ref, wanted, asked < epoch ? "FENCED_LEADER_EPOCH" : "UNKNOWN_LEADER_EPOCH")
    const from = Number(wanted.fetchOffset)
    if (from < found.start() || from > found.end()) return this.failure(ref, wanted, "OFFSET_OUT_OF_RANGE")
    const records = this.read(found, from, wanted.partitionMaxBytes)
    if (typeof records === "string") return this.failure(ref, wanted, records)
    const limit = Math.max(1, wanted.partitionMaxBytes)
    this.sources.push({ ref, index: wanted.partition, readable: found, epoch, cursor: from, bytes: 0, limit })
    return this.answer(wanted.partition, found, records)
  }

  /** The first partition that has anything gives a batch whatever its size, so that a small limit never stops a consumer (KIP-74); the others keep to what is left. */
  private read(found: ReadablePartition, from: Offset, partitionBytesMax: number): Views | KafkaError {
    const bytesMax = Math.max(0, Math.min(partitionBytesMax, this.left))
    if (from >= found.highWatermark() || (bytesMax === 0 && this.bytes > 0)) return noRecords
    const read = found.read(from, bytesMax)
    if (Either.isLeft(read)) return "KAFKA_STORAGE_ERROR"
    const views = this.version < zstdSince ? beforeZstd(read.right) : read.right
    if (views === "zstd first") return "UNSUPPORTED_COMPRESSION_TYPE"
    const size = sizeOf(views)
    // What was read for nothing counts too: a request that names a hundred thousand partitions must not have a batch of each read from disk.
    this.left -= size
    if (size > bytesMax && this.bytes > 0) return noRecords
    this.bytes += size
    return views
  }

  private answer(partitionIndex: number, found: ReadablePartition, records: Views): Answer {
    const highWatermark = BigInt(found.highWatermark())
    // Without transactions every record is decided as soon as it is there: the last stable offset is the high watermark.
    return {
      partitionIndex,
      errorCode: 0,
      highWatermark,
      lastStableOffset: highWatermark,
      logStartOffset: BigInt(found.start()),
      abortedTransactions: this.request.isolationLevel === readCommitted ? noTransactions : null,
      preferredReadReplica: -1,
      records
    }
  }

  private failure(ref: TopicRef, { partition }: Wanted, error: KafkaError): Answer {
    this.failed = true
    const moved = this.version >= leadersSince && (error === "NOT_LEADER_OR_FOLLOWER" || error === "FENCED_LEADER_EPOCH")
    const leader = moved ? this.endpoints.note(this.options.findLeader(ref, partition)) : undefined
    return {
      partitionIndex: partition,
      errorCode: errorCode(error),
      highWatermark: -1n,
      abortedTransactions: null,
      records: noRecords,
      ...(leader === undefined ? {} : { currentLeader: leader })
    }
  }
}

const refused = (error: KafkaError): Response => ({ throttleTimeMs: 0, errorCode: errorCode(error), sessionId: 0, responses: [] })

/** Epoch 0 opens a session and -1 asks for none; both say everything they want. Any other epoch goes on with a session, and none is ever given (KIP-227). */
const continuesSession = ({ sessionEpoch }: Request, version: number): boolean => version >= 7 && sessionEpoch !== 0 && sessionEpoch !== -1

/**
 * Fetch: record batches as they lie in the logs, as many as the limits allow, never a part of one.
 * With fewer than `minBytes` there and no error it waits for more, at most `maxWaitMs`: then, and only then, the answer is an Effect.
 * Errors of a partition: UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, OFFSET_OUT_OF_RANGE,
 * UNSUPPORTED_COMPRESSION_TYPE, KAFKA_STORAGE_ERROR; of the request: FETCH_SESSION_ID_NOT_FOUND, INCONSISTENT_CLUSTER_ID. Read committed is the same as read uncommitted.
 */
export const fetch =
  (options: FetchOptions) =>
  (request: Request, { version }: { readonly version: number }): Response | Effect.Effect<Response> => {
    if (continuesSession(request, version)) return refused("FETCH_SESSION_ID_NOT_FOUND")
    const clusterId = options.clusterId()
    if (request.clusterId !== null && clusterId !== undefined && request.clusterId !== clusterId) return refused("INCONSISTENT_CLUSTER_ID")
    const pass = new Pass(options, request, version)
    const response = pass.response()
    const bytesMin = Math.min(request.minBytes, request.maxBytes, options.fetchBytesMax)
    if (pass.failed || pass.bytes >= bytesMin || request.maxWaitMs <= 0 || pass.sources.length === 0) return response
    return Effect.map(waitForBytes(options.find, pass.sources, bytesMin, request.maxWaitMs, options.deadlines), () =>
      new Pass(options, request, version).response()
    )
  }
