import { Either } from "effect"
import { errorCode, type KafkaError, type Rejection } from "../../../domain/kernel/error-code.ts"
import type { Offset, TopicId } from "../../../domain/kernel/id.ts"
import { splitBatches } from "../../../domain/log/batch.ts"
import { type Inspection, isLongToInspect, type Packing } from "../../../domain/log/open-batch.ts"
import type { LogFault } from "../../ports/log-store.ts"
import { Produce } from "../../protocol/message/00-produce.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { Endpoints, type FindLeader, isInternalTopic, type TopicRef } from "../../serve/cluster/current-leader.ts"
import type { Deadlines } from "../../serve/deadlines.ts"
import { Later } from "../../wire/later.ts"
import { disconnect, type Handled, type Made, noResponse, type RequestContext, type Route, route } from "../../wire/route.ts"
import { nested, Sliced, type Steps, Stride } from "../../wire/sliced.ts"
import type { NotHere, PartitionTable } from "../partition/hosted/table.ts"
import type { Appended, Leading } from "../partition/leading/leading.ts"
import { RefusedSequences, type SentTo } from "./refused-sequences.ts"

type Request = RequestOf<typeof Produce>
type Response = ResponseDraft<typeof Produce>
type PartitionResponse = Response["responses"][number]["partitionResponses"][number]

interface ProduceOptions {
  readonly table: PartitionTable
  readonly findLeader: FindLeader
  /** Returns the time in ms since 1970. */
  readonly now: () => number
  readonly deadlines: Deadlines
  readonly sizeBound: Packing["sizeBound"]
  /**
   * Whether acks=all is acknowledged before the sync (log.flush.policy=interval): a power cut may then lose
   * acknowledged records. Default false.
   */
  readonly answersUnsynced?: boolean
}

/** The first version that has topic ids in place of names (KIP-516). */
const topicIdsSince = 13
/** The first version that allows zstd (KIP-110). */
const zstdSince = 7
/** The first version whose errors name the current leader and its address (KIP-951). */
const leadersSince = 10
const none = 0
const all = -1

/**
 * The shortest timeout of a sync, ms, whatever `timeoutMs` is: in Kafka `timeoutMs` bounds the wait for other replicas
 * only, and 0 is not an error for a partition without them.
 */
const syncMsMin = 1000

/** The batches of a partition, after the inspection in steps. */
interface Inspected {
  readonly batches: ReturnType<typeof splitBatches>
  readonly inspection: Inspection
}

/** The outcome for one partition. */
interface Outcome {
  readonly index: number
  readonly ref: TopicRef
  readonly leading: Leading | undefined
  /** The partition had several replicas when the records were appended. */
  readonly isReplicated?: boolean
  result: Either.Either<Appended, Rejection>
}

const refuse = (error: KafkaError, message: string): Either.Either<never, Rejection> => Either.left({ error, message })

const notHereMessages: Record<NotHere, string> = {
  UNKNOWN_TOPIC_OR_PARTITION: "This cluster has no such topic or partition.",
  UNKNOWN_TOPIC_ID: "This cluster has no topic with that id.",
  NOT_LEADER_OR_FOLLOWER: "This broker does not lead the partition.",
  KAFKA_STORAGE_ERROR: "The log of the partition is offline. The broker's log output has the cause and the remedy."
}

const tooFewInSync = refuse("NOT_ENOUGH_REPLICAS", "Fewer replicas are in sync than min.insync.replicas; nothing was written.")
const refusedInternal = refuse("INVALID_TOPIC_EXCEPTION", "The topic is internal: clients read it, and only the leader writes to it.")

const isWaiting = ({ leading, result }: Outcome): boolean => leading !== undefined && Either.isRight(result) && !leading.isCommitted(result.right.lastOffset)

type Partition = Request["topicData"][number]["partitionData"][number]

/** One pass over a request. It appends the records of all partitions before the request waits for a sync. */
class Pass {
  outcomes: ReadonlyArray<ReadonlyArray<Outcome>> = []
  private inSteps = false

  constructor(
    private readonly options: ProduceOptions,
    private readonly refused: RefusedSequences,
    private readonly request: Request,
    private readonly context: Pick<RequestContext, "connectionId" | "listener" | "version">
  ) {}

  run(): this {
    const now = this.options.now()
    this.outcomes = this.request.topicData.map((topic) => {
      const ref = this.refOf(topic)
      return topic.partitionData.map((partition) => this.append(ref, partition, now))
    })
    return this
  }

  /**
   * Runs in steps, for a request that takes long to inspect or append. Other connections may append between two
   * partitions.
   */
  *runInSteps(): Steps<this> {
    const outcomes: Array<ReadonlyArray<Outcome>> = []
    const stride = new Stride(bytesPerStep)
    for (const topic of this.request.topicData) {
      const ref = this.refOf(topic)
      const some: Array<Outcome> = []
      if (stride.takes(bytesPerPartition)) yield
      for (const partition of topic.partitionData) {
        const now = this.options.now()
        some.push(this.append(ref, partition, now, yield* this.inspect(ref, partition, now)))
        if (stride.takes(bytesPerPartition + (partition.records?.length ?? 0))) yield
      }
      outcomes.push(some)
    }
    this.outcomes = outcomes
    this.inSteps = true
    return this
  }

  private refOf({ name, topicId }: Request["topicData"][number]): TopicRef {
    return this.context.version >= topicIdsSince ? { topicId: topicId as TopicId } : { name }
  }

  private *inspect(ref: TopicRef, { index, records }: Partition, now: number): Steps<Inspected | undefined> {
    const leading = this.options.table.findLeading(ref, index)
    if (records === null || typeof leading === "string") return undefined
    const batches = splitBatches(records)
    const [batch] = Either.getOrElse(batches, () => [])
    const inspection = batch === undefined ? undefined : yield* leading.inspect(batch, now)
    return inspection === undefined ? undefined : { batches, inspection }
  }

  private append(ref: TopicRef, partition: Partition, now: number, inspected?: Inspected): Outcome {
    const { acks } = this.request
    const { index, records } = partition
    if (acks !== all && acks !== 1 && acks !== none)
      return { index, ref, leading: undefined, result: refuse("INVALID_REQUIRED_ACKS", `acks must be -1 (all), 0 or 1, not ${acks}.`) }
    if (acks === none) return this.appendFirst(ref, partition, now, inspected)
    const refusal = this.refused.isEmpty ? undefined : this.refusalOf(ref, partition, now)
    if (refusal !== undefined) return { index, ref, leading: undefined, result: Either.left(refusal) }
    const outcome = this.appendFirst(ref, partition, now, inspected)
    if (Either.isLeft(outcome.result)) this.refused.note(this.sentTo(ref, index), records, outcome.result.left, now)
    return outcome
  }

  private refusalOf(ref: TopicRef, { index, records }: Partition, now: number): Rejection | undefined {
    return this.refused.refusalOf(this.sentTo(ref, index), records, now, (batch) => {
      const leading = this.options.table.findLeading(ref, index)
      return typeof leading !== "string" && leading.expects(batch)
    })
  }
  private sentTo(ref: TopicRef, partition: number): SentTo {
    return { connectionId: this.context.connectionId, topic: "name" in ref ? ref.name : ref.topicId, partition }
  }

  /** Appends records that no refused batch of this connection comes before. */
  private appendFirst(ref: TopicRef, { index, records }: Partition, now: number, inspected: Inspected | undefined): Outcome {
    const { acks } = this.request
    const leading = this.options.table.findLeading(ref, index)
    if (typeof leading === "string")
      return { index, ref, leading: undefined, result: isInternalTopic(ref) ? refusedInternal : refuse(leading, notHereMessages[leading]) }
    if (acks === all && !leading.hasEnoughInSync) return { index, ref, leading: undefined, result: tooFewInSync }
    return { index, ref, leading, isReplicated: leading.isReplicated, result: this.appendTo(leading, records, now, inspected) }
  }

  private appendTo(leading: Leading, records: Uint8Array | null, now: number, inspected: Inspected | undefined): Outcome["result"] {
    const batches = inspected?.batches ?? (records === null ? Either.right([]) : splitBatches(records))
    if (Either.isLeft(batches)) return refuse(batches.left.error, batches.left.message)
    if (this.context.version < zstdSince && batches.right.some((batch) => batch.codec === "zstd"))
      return refuse("UNSUPPORTED_COMPRESSION_TYPE", `Records compressed with zstd need Produce version ${zstdSince} or later, not ${this.context.version}.`)
    return leading.append(batches.right, now, inspected?.inspection)
  }

  /** Returns the outcomes whose records acks=all waits for: a sync, or the other replicas. */
  uncommitted(answersUnsynced: boolean): ReadonlyArray<Outcome> {
    return this.outcomes.flat().filter((outcome) => isWaiting(outcome) && !(answersUnsynced && outcome.leading?.isReplicated === false))
  }

  failure(): Rejection | undefined {
    for (const topic of this.outcomes) for (const { result } of topic) if (Either.isLeft(result)) return result.left
    return undefined
  }

  /** Returns the response, made in steps if the request was processed in steps. */
  respond(): Made<typeof Produce> {
    return this.inSteps ? new Sliced(() => this.responseInSteps()) : this.response()
  }
  private response(): Response {
    const endpoints = new Endpoints(this.context.listener)
    const responses = this.request.topicData.map(({ name, topicId }, i) => ({
      name,
      topicId,
      partitionResponses: (this.outcomes[i] as ReadonlyArray<Outcome>).map((outcome) => this.partitionResponse(outcome, endpoints))
    }))
    return { responses, nodeEndpoints: endpoints.list() }
  }

  private *responseInSteps(): Steps<Response> {
    const endpoints = new Endpoints(this.context.listener)
    const responses = yield* nested(
      this.request.topicData.entries(),
      ([at]) => this.outcomes[at] as ReadonlyArray<Outcome>,
      (_, outcome) => this.partitionResponse(outcome, endpoints),
      ([, { name, topicId }], partitionResponses) => ({ name, topicId, partitionResponses })
    )
    return { responses, nodeEndpoints: endpoints.list() }
  }

  private partitionResponse({ index, ref, leading, result }: Outcome, endpoints: Endpoints): PartitionResponse {
    if (Either.isRight(result)) {
      const { baseOffset, logAppendTime } = result.right
      const logStartOffset: Offset = leading?.startOffset ?? -1
      return { index, errorCode: 0, baseOffset: BigInt(baseOffset), logAppendTimeMs: BigInt(logAppendTime), logStartOffset: BigInt(logStartOffset) }
    }
    const { error, message, records = [] } = result.left
    const leaderOf =
      error === "NOT_LEADER_OR_FOLLOWER" && this.context.version >= leadersSince ? endpoints.note(this.options.findLeader(ref, index)) : undefined
    return {
      index,
      errorCode: errorCode(error),
      baseOffset: -1n,
      errorMessage: message,
      recordErrors: records.map((each) => ({ batchIndex: each.index, batchIndexErrorMessage: each.message })),
      ...(leaderOf === undefined ? {} : { currentLeader: leaderOf })
    }
  }
}

/**
 * Kafka's error for records that are in the log and may be lost. After any other error a client assumes that they were
 * not appended.
 */
const inDoubt: KafkaError = "NOT_ENOUGH_REPLICAS_AFTER_APPEND"

/**
 * Sets the outcome of records after their sync. Checks the leadership again: an acknowledgement is valid for the epoch
 * of the append only.
 */
const settle = (outcome: Outcome, leading: Leading, fault: LogFault | undefined): void => {
  // Only this error makes clients look for the new leader, which may have the records or not.
  if (fault === undefined && outcome.isReplicated && !leading.isCurrent)
    outcome.result = refuse("NOT_LEADER_OR_FOLLOWER", notHereMessages.NOT_LEADER_OR_FOLLOWER)
  else if (fault !== undefined) outcome.result = refuse(inDoubt, `The records may be lost: ${leading.failed(fault).message}`)
  else if (Either.isRight(outcome.result) && !leading.isCurrent)
    outcome.result = refuse(inDoubt, "The leader of the partition changed while the records were written.")
}

const timedOut = ({ isReplicated }: Outcome, waitMs: number): string =>
  isReplicated === true ? `Not all in-sync replicas had the records within ${waitMs} ms.` : `The records were not synced to disk within ${waitMs} ms.`

/**
 * Waits for the syncs of all logs of the request. Records that are not synced after `timeoutMs` (at least 1 s) get
 * REQUEST_TIMED_OUT and stay in the log. A waiting request has no fiber and no timer: it has an entry in the lists of
 * the deadlines and of each log.
 */
const awaitSync = (pass: Pass, unsynced: ReadonlyArray<Outcome>, timeoutMs: number, deadlines: Deadlines): Later<Made<typeof Produce>> =>
  new Later((ready) => {
    let left = unsynced.length
    const responseOf = () => pass.respond()
    const cancellations: Array<() => void> = []
    const cancelWaits = () => {
      for (const each of cancellations) each()
    }
    const waitMs = unsynced.every(({ isReplicated }) => isReplicated === true) ? timeoutMs : Math.max(timeoutMs, syncMsMin)
    const deadline = deadlines.after(waitMs, () => {
      cancelWaits()
      for (const outcome of unsynced) if (isWaiting(outcome)) outcome.result = refuse("REQUEST_TIMED_OUT", timedOut(outcome, waitMs))
      ready(responseOf)
    })
    for (const outcome of unsynced) {
      const { leading, result } = outcome
      if (leading === undefined || Either.isLeft(result)) continue
      cancellations.push(
        leading.whenCommitted(result.right.lastOffset, (fault) => {
          settle(outcome, leading, fault)
          if (--left > 0) return
          deadline.cancel()
          ready(responseOf)
        })
      )
    }
    return () => {
      deadline.cancel()
      cancelWaits()
    }
  })

const respond = (
  pass: Pass,
  { acks, timeoutMs }: Request,
  { answersUnsynced, deadlines }: ProduceOptions
): Made<typeof Produce> | Later<Made<typeof Produce>> => {
  if (acks === none) {
    // acks=0 has no response for the error. The closed connection makes the client refresh its metadata.
    const failure = pass.failure()
    return failure === undefined ? noResponse : disconnect(`a Produce with acks=0 failed: ${failure.error}: ${failure.message}`)
  }
  const unsynced = acks === all ? pass.uncommitted(answersUnsynced === true) : []
  return unsynced.length === 0 ? pass.respond() : awaitSync(pass, unsynced, timeoutMs, deadlines)
}

/** Bytes of records that are appended without a pause. Each partition counts as `bytesPerPartition` more. */
const bytesAtOnceMax = 4 * 1024 * 1024
const bytesPerPartition = 4096
const bytesPerStep = 512 * 1024

/**
 * Whether the request is processed in steps: it has many partitions, many bytes, or records that take long to inspect.
 */
const isLong = ({ topicData }: Request, { sizeBound }: ProduceOptions): boolean => {
  let bytes = 0
  for (const { partitionData } of topicData) {
    bytes += bytesPerPartition
    for (const { records } of partitionData) {
      if (records !== null && isLongToInspect(records, sizeBound)) return true
      bytes += bytesPerPartition + (records?.length ?? 0)
    }
  }
  return bytes > bytesAtOnceMax
}

/**
 * Produce: appends record batches. Each partition succeeds or fails on its own. acks=1 is answered when the records are
 * in the log. acks=all is answered when they are synced to disk (one sync for all waiting requests), or like acks=1
 * under log.flush.policy=interval; with several replicas when the high watermark is above them. acks=0 has no response. A long request is processed in steps, and no other request
 * of its connection overtakes it. ApiVersions lists versions 0 to 2, which are not served: without them librdkafka
 * before 2.11.1 sends uncompressed records (KAFKA-18659).
 */
export const produce = (options: ProduceOptions): Route => {
  const refused = new RefusedSequences()
  return route(Produce, { advertisedMin: 0, pipelined: true, borrows: true }, (request, context): Handled<typeof Produce> => {
    const pass = new Pass(options, refused, request, context)
    if (!isLong(request, options)) return respond(pass.run(), request, options)
    return new Sliced(function* () {
      return respond(yield* pass.runInSteps(), request, options)
    })
  })
}
