import { Either } from "effect"
import type { Rejection } from "../kernel/error-code.ts"
import type { Offset } from "../kernel/id.ts"
import { assign, fieldAt, headerSize, type RecordBatch, stampLogAppendTime, type TimestampType, verify } from "./batch.ts"
import type { Crc32c } from "./crc32c.ts"
import { isSafeInt64 } from "./int.ts"
import { countRejection, type Inspection, inspectInSteps, type OpeningContext, type OpeningRules, openBatch, type Packing, unpacked } from "./open-batch.ts"
import { boundProducers, checkSequence, evolveProducers, noProducers, type ProducerState } from "./producer-state.ts"
import { recordSizeMin } from "./record.ts"
import { checkRecords } from "./record-check.ts"
import type { RecordWalk } from "./record-walk.ts"

/** What the leader of a partition decides appends from. */
export interface LogState {
  /** The offset that the next record gets. */
  readonly end: Offset
  readonly producers: ProducerState
}

export const emptyLog: LogState = { end: 0, producers: noProducers }

/** How a partition takes batches; sizes in bytes, times in ms. The comments name Kafka's settings. */
export interface AppendContext {
  readonly leaderEpoch: number
  readonly now: number
  readonly crc32c: Crc32c
  /** `max.message.bytes`: a whole batch, compressed as it is. */
  readonly batchBytesMax: number
  /** `segment.bytes`: a batch that no segment can hold is refused. */
  readonly segmentBytesMax: number
  /** `message.timestamp.type`. */
  readonly timestampType: TimestampType
  /**
   * `message.timestamp.before.max.ms` and `message.timestamp.after.max.ms`: how far a producer's clock may be off.
   * Infinity for no limit.
   */
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
  /** What is done with the records of every batch; undefined where the header is enough. */
  readonly opening?: OpeningRules | undefined
  readonly packing: Packing
  /** Undefined where no native code walks over records. */
  readonly walkRecords?: RecordWalk | undefined
}

/**
 * The batch belongs in the log. Its bytes carry base offset, leader epoch and, where the topic wants it, log append
 * time already.
 */
export interface Append {
  readonly _tag: "Append"
  readonly batch: RecordBatch
  readonly baseOffset: Offset
  readonly lastOffset: Offset
  /** When the leader appended it, ms; -1 when the topic keeps the producer's timestamps. */
  readonly logAppendTime: number
}

/** The batch is in the log since an earlier request: the answer is the one from then, and nothing is written (L4). */
interface Duplicate {
  readonly _tag: "Duplicate"
  readonly baseOffset: Offset
  readonly lastOffset: Offset
  readonly logAppendTime: number
}

const no = (error: Rejection["error"], message: string): Rejection => ({ error, message })

/**
 * The checks of Kafka's leader that need only the header, in Kafka's order: sizes and base offset, then the CRC, then
 * what the CRC vouches for.
 */
const batchRejection = (batch: RecordBatch, { batchBytesMax, crc32c, packing, segmentBytesMax }: AppendContext): Rejection | undefined => {
  const { baseOffset, baseSequence, lastOffsetDelta, recordCount, sizeInBytes } = batch
  if (baseOffset !== 0) return no("INVALID_RECORD", `A produced batch has base offset 0; this one has ${baseOffset}.`)
  if (sizeInBytes > batchBytesMax) return no("MESSAGE_TOO_LARGE", `A batch of ${sizeInBytes} bytes is over the topic's max.message.bytes of ${batchBytesMax}.`)
  if (sizeInBytes > segmentBytesMax)
    return no("RECORD_LIST_TOO_LARGE", `A batch of ${sizeInBytes} bytes is over the topic's segment.bytes of ${segmentBytesMax}.`)
  const fault = verify(batch, crc32c)
  if (fault !== undefined) return no(fault.error, fault.message)
  if (recordCount <= 0 || recordCount !== lastOffsetDelta + 1)
    return no("INVALID_RECORD", `The batch says ${recordCount} records over ${lastOffsetDelta + 1} offsets.`)
  // Without opening a record: a header that claims two thousand million of them would take as many offsets.
  if (recordCount * recordSizeMin > batch.bytes.length - headerSize) {
    if (batch.codec === "none") return no("INVALID_RECORD", `${recordCount} records do not fit into a batch of ${sizeInBytes} bytes.`)
    const tooMany = countRejection(batch, packing)
    if (tooMany !== undefined) return tooMany
  }
  if (batch.isControl) return no("INVALID_RECORD", "Clients do not write control records.")
  if (batch.hasProducerId && (baseSequence < 0 || batch.producerEpoch < 0))
    return no(
      "INVALID_RECORD",
      `A batch with producer id ${batch.producerId} needs a sequence and an epoch; it has ${baseSequence} and ${batch.producerEpoch}.`
    )
  if (batch.isTransactional) return no("INVALID_TXN_STATE", "Transactional records are not taken: this cluster has no transactions yet.")
  return undefined
}

/** The times that a record may have; undefined where the broker's own counts. */
const timesOf = ({ now, timestampAfterMaxMs, timestampBeforeMaxMs, timestampType }: AppendContext) =>
  timestampType === "LogAppendTime" ? undefined : { from: now - timestampBeforeMaxMs, to: now + timestampAfterMaxMs }

/**
 * The offset after the last one that a log can have: numbers are exact below 2^53, and every offset must have one after
 * it.
 */
const endMax = Number.MAX_SAFE_INTEGER

/** Names the records whose time is wrong, as Kafka does, where they can be read. The batch is refused either way. */
const named = (batch: RecordBatch, rejection: Rejection, context: AppendContext): Rejection => {
  const payload = unpacked(batch, context.packing, context.batchBytesMax)
  if (Either.isLeft(payload)) return rejection
  const { rejection: found } = checkRecords(batch, payload.right, { needsKeys: false, times: timesOf(context) })
  return found?.error === rejection.error ? found : rejection
}

/**
 * The header knows the first and the largest timestamp of its records; both must be within the topic's limits. A
 * record without a timestamp (-1) has none to check. Where every record is looked at, its own time counts, and not what
 * the header says of it.
 */
const timestampRejection = (batch: RecordBatch, context: AppendContext): Rejection | undefined => {
  const { now, opening, timestampAfterMaxMs, timestampBeforeMaxMs, timestampType } = context
  const isMaxBelieved = opening === undefined && timestampType === "CreateTime"
  if (!isSafeInt64(batch.bytes, fieldAt.baseTimestamp) || (isMaxBelieved && !isSafeInt64(batch.bytes, fieldAt.maxTimestamp)))
    return no("INVALID_TIMESTAMP", "A timestamp of the batch is beyond 2^53 ms.")
  if (timestampType === "LogAppendTime") return undefined
  if (batch.timestampType === "LogAppendTime") return no("INVALID_TIMESTAMP", "A producer does not set log append time on a topic with create time.")
  if (opening !== undefined) return undefined
  const { baseTimestamp, maxTimestamp } = batch
  if (baseTimestamp !== -1 && now - baseTimestamp > timestampBeforeMaxMs)
    return named(batch, no("INVALID_TIMESTAMP", `Timestamp ${baseTimestamp} is more than ${timestampBeforeMaxMs} ms before the broker's ${now}.`), context)
  if (maxTimestamp !== -1 && maxTimestamp - now > timestampAfterMaxMs)
    return named(batch, no("INVALID_TIMESTAMP", `Timestamp ${maxTimestamp} is more than ${timestampAfterMaxMs} ms after the broker's ${now}.`), context)
  return undefined
}

const openingContext = (context: AppendContext, rules: OpeningRules): OpeningContext => {
  const { batchBytesMax, crc32c, packing, walkRecords } = context
  return { batchBytesMax, crc32c, packing, rules, times: timesOf(context), walkRecords }
}

/**
 * Looks at the records of a batch in steps, for a later `decideAppend` under the same settings; undefined where that
 * has nothing to look at, or refuses the batch before it does.
 */
export function* inspectForAppend(batch: RecordBatch, context: AppendContext): Generator<void, Inspection | undefined> {
  return context.opening === undefined ? undefined : yield* inspectInSteps(batch, openingContext(context, context.opening))
}

/**
 * What the leader of a partition does with a client's batches (those of one Produce request for one partition, as
 * `splitBatches` gives them). Kafka allows exactly one since Produce 3; INVALID_RECORD otherwise. On `Append` the
 * batch's own bytes have been patched (a view of the request's frame, which no other code reads), or it was repacked;
 * on anything else they are as they came. Cost: the header and the CRC; with `opening` 1 to 6 ns a record (3 to 40
 * without native code), and decompressing.
 */
export const decideAppend = (
  state: LogState,
  batches: ReadonlyArray<RecordBatch>,
  context: AppendContext,
  inspection?: Inspection
): Either.Either<Append | Duplicate, Rejection> => {
  const [batch] = batches
  if (batch === undefined || batches.length !== 1)
    return Either.left(no("INVALID_RECORD", `A Produce request has exactly one record batch for a partition, not ${batches.length}.`))
  const rejection = batchRejection(batch, context) ?? timestampRejection(batch, context)
  if (rejection !== undefined) return Either.left(rejection)
  const check = checkSequence(state.producers, batch)
  if (Either.isLeft(check)) return Either.left(check.left)
  const stamped = context.timestampType === "LogAppendTime"
  if (check.right._tag === "Duplicate") {
    const { firstOffset, lastOffset, timestamp } = check.right.first
    return Either.right({ _tag: "Duplicate", baseOffset: firstOffset, lastOffset, logAppendTime: stamped ? timestamp : -1 })
  }
  if (batch.recordCount > endMax - state.end)
    return Either.left(
      no("INVALID_RECORD", `The partition ends at offset ${state.end}: ${batch.recordCount} records would go beyond 2^53 - 1, the last offset.`)
    )
  const opened = context.opening === undefined ? undefined : openBatch(batch, openingContext(context, context.opening), inspection)
  if (opened !== undefined && Either.isLeft(opened)) return Either.left(opened.left)
  const kept = opened === undefined ? batch : opened.right
  assign(kept, state.end, context.leaderEpoch)
  if (stamped) stampLogAppendTime(kept, context.now, context.crc32c)
  return Either.right({ _tag: "Append", batch: kept, baseOffset: state.end, lastOffset: kept.lastOffset, logAppendTime: stamped ? context.now : -1 })
}

/** How many idempotent producers a partition remembers at most: some 600 bytes each, so 6 MB. */
const producersMax = 10_000

/**
 * The state after a batch was appended, or after one was found in the log at a restart (its 61 header bytes are
 * enough). `at` is the time of the append, ms.
 */
export const evolve = (state: LogState, batch: RecordBatch, at: number): LogState => ({
  end: batch.nextOffset,
  producers: batch.hasProducerId ? boundProducers(evolveProducers(state.producers, batch, at), producersMax) : state.producers
})
