import { Either, HashMap, Option } from "effect"
import type { Rejection } from "../kernel/error-code.ts"
import type { Offset, ProducerId } from "../kernel/id.ts"
import type { RecordBatch } from "./batch.ts"
import { noSequence, sequenceAfter } from "./sequence.ts"

/** What is remembered of one batch of an idempotent producer, so that a retry gets the first answer again. */
export interface ProducerBatch {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly firstOffset: Offset
  readonly lastOffset: Offset
  /** The batch's max timestamp, ms: the log append time, where the topic has it. */
  readonly timestamp: number
}

/** One producer in one partition: its epoch and its last batches, oldest first, at most `batchesKeptMax`. */
export interface ProducerEntry {
  readonly epoch: number
  readonly batches: ReadonlyArray<ProducerBatch>
  /**
   * When it last appended, ms, by the leader's clock (at a restart: the time of the restart). Expiry counts from here.
   */
  readonly lastSeen: number
}

/**
 * All idempotent producers of one partition that are remembered. A persistent map: an older state stays what it was.
 */
export interface ProducerState {
  readonly entries: HashMap.HashMap<ProducerId, ProducerEntry>
}

export const noProducers: ProducerState = { entries: HashMap.empty() }

/** What the header of a batch says about its producer. Exported for simulations, whose batches have no bytes. */
export type SequencedBatch = Pick<
  RecordBatch,
  "hasProducerId" | "producerId" | "producerEpoch" | "baseSequence" | "lastSequence" | "baseOffset" | "lastOffset" | "maxTimestamp" | "isControl"
>

/** As Kafka keeps: a producer has at most five requests in flight, so a retry is among the last five. */
export const batchesKeptMax = 5

/** What the state says to a batch. A duplicate carries what was answered the first time. */
type SequenceCheck = { readonly _tag: "New" } | { readonly _tag: "Duplicate"; readonly first: ProducerBatch }

const fresh: SequenceCheck = { _tag: "New" }
const accepted: Either.Either<SequenceCheck, Rejection> = Either.right(fresh)
const rejected = (error: Rejection["error"], message: string): Either.Either<SequenceCheck, Rejection> => Either.left({ error, message })

/**
 * Whether a batch of an idempotent producer (KIP-98, KIP-360) is its next one, or one that is in the log already. A
 * batch without a producer is always new. A producer that is not remembered may start at any sequence: its records may
 * have been deleted, and Kafka accepts it too. INVALID_PRODUCER_EPOCH: a newer incarnation has written.
 * OUT_OF_ORDER_SEQUENCE_NUMBER: batches are missing before it, or it is too old to be recognized.
 */
export const checkSequence = (state: ProducerState, batch: SequencedBatch): Either.Either<SequenceCheck, Rejection> => {
  if (!batch.hasProducerId) return accepted
  const producerId = batch.producerId
  const known = HashMap.get(state.entries, producerId)
  if (Option.isNone(known)) return accepted
  const { batches, epoch } = known.value
  const batchEpoch = batch.producerEpoch
  if (batchEpoch < epoch)
    return rejected("INVALID_PRODUCER_EPOCH", `Producer ${producerId} wrote with epoch ${epoch} already; this batch has the older epoch ${batchEpoch}.`)
  const first = batch.baseSequence
  if (batchEpoch > epoch)
    return first === 0
      ? accepted
      : rejected("OUT_OF_ORDER_SEQUENCE_NUMBER", `Producer ${producerId} starts its epoch ${batchEpoch} with sequence ${first} instead of 0.`)
  const last = batch.lastSequence
  const duplicate = batches.find(({ firstSequence, lastSequence }) => firstSequence === first && lastSequence === last)
  if (duplicate !== undefined) return Either.right({ _tag: "Duplicate", first: duplicate })
  const before = batches.at(-1)?.lastSequence ?? noSequence
  const expected = sequenceAfter(before, 1)
  if (first === expected) return accepted
  return rejected("OUT_OF_ORDER_SEQUENCE_NUMBER", `Producer ${producerId} sent sequence ${first} where ${expected} is next.`)
}

/** Whether the log has a batch of the producer's epoch, and this is its next one, or one that is in the log already: none is missing before it. */
export const isExpected = (state: ProducerState, batch: SequencedBatch): boolean => {
  const known = batch.hasProducerId ? Option.getOrUndefined(HashMap.get(state.entries, batch.producerId)) : undefined
  return known?.epoch === batch.producerEpoch && Either.isRight(checkSequence(state, batch))
}

/**
 * The state after a batch was appended (or found in the log at a restart): only its header is read. `at` is the time of
 * the append in ms. Control batches raise the epoch and have no sequence.
 */
export const evolveProducers = (state: ProducerState, batch: SequencedBatch, at: number): ProducerState => {
  if (!batch.hasProducerId) return state
  const producerId = batch.producerId
  const epoch = batch.producerEpoch
  const known = Option.getOrUndefined(HashMap.get(state.entries, producerId))
  const kept = known !== undefined && known.epoch === epoch ? known.batches : []
  const batches = batch.isControl
    ? kept
    : [
        ...(kept.length >= batchesKeptMax ? kept.slice(kept.length - batchesKeptMax + 1) : kept),
        {
          firstSequence: batch.baseSequence,
          lastSequence: batch.lastSequence,
          firstOffset: batch.baseOffset,
          lastOffset: batch.lastOffset,
          timestamp: batch.maxTimestamp
        }
      ]
  return { entries: HashMap.set(state.entries, producerId, { epoch, batches, lastSeen: at }) }
}

/**
 * The state without producers that have been silent for `expirationMs` or longer (`producer.id.expiration.ms`). The
 * same state when there are none.
 */
export const expireProducers = (state: ProducerState, now: number, expirationMs: number): ProducerState => {
  const entries = HashMap.filter(state.entries, ({ lastSeen }) => now - lastSeen < expirationMs)
  return HashMap.size(entries) === HashMap.size(state.entries) ? state : { entries }
}

const lastOffsetOf = ({ batches }: ProducerEntry): Offset => batches.at(-1)?.lastOffset ?? -1

/**
 * The state with at most `producersMax` producers: when there are more, those that have been silent the longest go, a
 * tenth more than need be, so that the next many appends pay nothing. Kafka has no such bound; a client that invents
 * producer ids would fill the memory.
 */
export const boundProducers = (state: ProducerState, producersMax: number): ProducerState => {
  if (HashMap.size(state.entries) <= producersMax) return state
  const recent = [...state.entries].sort(([, a], [, b]) => b.lastSeen - a.lastSeen || lastOffsetOf(b) - lastOffsetOf(a))
  return { entries: HashMap.fromIterable(recent.slice(0, Math.max(1, Math.floor(producersMax * 0.9)))) }
}
