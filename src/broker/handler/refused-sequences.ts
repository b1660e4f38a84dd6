import type { KafkaError, Rejection } from "../../../domain/kernel/error-code.ts"
import { headerSize, magic2, RecordBatch } from "../../../domain/log/batch.ts"
import { batchesKeptMax } from "../../../domain/log/producer-state.ts"
import { noSequence, sequenceMax } from "../../../domain/log/sequence.ts"

/** Where a batch was sent: its connection, and the partition as the request names it. */
export interface SentTo {
  readonly connectionId: number
  /** The topic's name, or its id. */
  readonly topic: string
  readonly partition: number
}

/** A batch that was refused, and that its client sends again. */
interface Refused {
  readonly epoch: number
  readonly sequence: number
  readonly rejection: Rejection
  readonly at: number
  /** Batches behind it that may still have been under way when the client read the response. */
  left: number
}

/** After these errors nothing is written, and clients send the batch again with the same sequence. */
const isSentAgain: ReadonlySet<KafkaError> = new Set([
  "NOT_ENOUGH_REPLICAS",
  "NOT_LEADER_OR_FOLLOWER",
  "UNKNOWN_TOPIC_OR_PARTITION",
  "UNKNOWN_TOPIC_ID",
  "KAFKA_STORAGE_ERROR"
])

/** Refused batches that are remembered, some 300 bytes each. The oldest are forgotten first. */
const refusedMax = 10_000
/** How long a refused batch is remembered, ms: longer than a client waits for the response to a request that is under way. */
const rememberedMs = 60_000
/** A sequence that is less than half of their range after another one follows it. */
const halfRange = 0x40000000

/** The first batch of a partition's records, by its header alone; undefined where no idempotent producer made it. */
const sequencedOf = (records: Uint8Array | null): RecordBatch | undefined => {
  if (records === null || records.length < headerSize) return undefined
  const batch = new RecordBatch(records)
  return batch.magic === magic2 && batch.hasProducerId && batch.baseSequence !== noSequence ? batch : undefined
}

/**
 * The batches of idempotent producers that were refused with an error after which their clients send them again. A client has up to five requests under way on a connection: those
 * behind a refused batch must be refused too, also where the cause is over by then. Appended, the first batch that a log has of a producer would begin its sequence too late; and
 * OUT_OF_ORDER_SEQUENCE_NUMBER makes librdkafka raise its epoch and send again what is under way, so that a batch of another partition that was appended without an
 * acknowledgement is stored twice. Kafka's brokers process one request of a connection at a time and seldom meet this; here requests start while those before them wait.
 */
export class RefusedSequences {
  private readonly refused = new Map<string, Refused>()
  /** The time of the latest refusal, ms. */
  private latest = Number.NEGATIVE_INFINITY

  get isEmpty(): boolean {
    return this.refused.size === 0
  }

  /** Why the batch is refused: one before it was, and did not come again. `isExpected` says that the log misses none before it: another leader may have taken those. `now` in ms. */
  refusalOf(to: SentTo, records: Uint8Array | null, now: number, isExpected: (batch: RecordBatch) => boolean): Rejection | undefined {
    if (now - this.latest > rememberedMs) {
      this.refused.clear()
      return undefined
    }
    const batch = sequencedOf(records)
    if (batch === undefined) return undefined
    const key = keyOf(to, batch)
    const before = this.refused.get(key)
    if (before === undefined) return undefined
    const distance = (batch.baseSequence - before.sequence) & sequenceMax
    const follows = batch.producerEpoch === before.epoch && distance > 0 && distance < halfRange && now - before.at <= rememberedMs
    if (follows && !isExpected(batch) && before.left-- > 0) return before.rejection
    // It is sent again; or its client continues without it, and learns that from the check of its sequence.
    if (follows || distance === 0 || batch.producerEpoch !== before.epoch) this.refused.delete(key)
    return undefined
  }

  /** A batch was refused, and not because of one before it. `now` in ms. */
  note(to: SentTo, records: Uint8Array | null, { error, message }: Rejection, now: number): void {
    const batch = isSentAgain.has(error) ? sequencedOf(records) : undefined
    if (batch === undefined) return
    const key = keyOf(to, batch)
    const rejection = { error, message: `${message} A batch of producer ${batch.producerId} before this one was refused so, and comes first.` }
    // The last one to be noted is the last in the map.
    this.refused.delete(key)
    this.refused.set(key, { epoch: batch.producerEpoch, sequence: batch.baseSequence, rejection, at: now, left: batchesKeptMax - 1 })
    this.latest = now
    const [oldest] = this.refused.keys()
    if (this.refused.size > refusedMax && oldest !== undefined) this.refused.delete(oldest)
  }
}

const keyOf = ({ connectionId, partition, topic }: SentTo, { producerId }: RecordBatch): string => `${connectionId}/${partition}/${producerId}/${topic}`
