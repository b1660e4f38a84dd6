import type { KafkaError } from "../../../../domain/kernel/error-code.ts"
import { isRetriable } from "../../../../domain/kernel/error-code.ts"
import { Fenced, failure, InvalidTopic, MessageTooLarge, NoLeader, NotEnoughReplicas, UnknownTopic } from "../../error.ts"
import { type RetryKind, retryKindOf } from "../../runtime/retry.ts"
import type { SendError } from "../accumulator/delivery.ts"

/** What the broker's response means for a batch. */
type BatchOutcome =
  | { readonly _tag: "Stored" }
  /** The broker stored it in an earlier attempt, and has forgotten its offset. */
  | { readonly _tag: "StoredWithoutOffset" }
  /** Send it again unchanged. `maybeStored`: the broker may have stored it all the same. */
  | { readonly _tag: "Retry"; readonly kind: RetryKind; readonly maybeStored: boolean; readonly last: SendError }
  /** Send it again under a new producer epoch. */
  | { readonly _tag: "BumpEpoch"; readonly last: SendError }
  /** Send it in two halves. */
  | { readonly _tag: "Split" }
  | { readonly _tag: "Failed"; readonly error: SendError }

/** What the outcome depends on besides the response. */
export interface SentBatch {
  readonly topic: string
  readonly partition: number
  readonly records: number
  readonly sizeBytes: number
  readonly idempotent: boolean
  /** An earlier batch of the partition has no final response yet. */
  readonly hasEarlier: boolean
}

/** Returns the error for the caller where `error` is final. */
export const sendErrorOf = (error: KafkaError, { topic, partition, sizeBytes }: SentBatch, detail: string | null): SendError => {
  switch (error) {
    case "UNKNOWN_TOPIC_OR_PARTITION":
    case "UNKNOWN_TOPIC_ID":
      return new UnknownTopic({ topic })
    case "INVALID_TOPIC_EXCEPTION":
      return new InvalidTopic({ topic, reason: detail ?? "clients cannot produce to this topic." })
    case "MESSAGE_TOO_LARGE":
    case "RECORD_LIST_TOO_LARGE":
      return new MessageTooLarge({ topic, sizeBytes, limitBytes: undefined })
    case "NOT_ENOUGH_REPLICAS":
    case "NOT_ENOUGH_REPLICAS_AFTER_APPEND":
      return new NotEnoughReplicas({ topic, partition })
    case "NOT_LEADER_OR_FOLLOWER":
    case "LEADER_NOT_AVAILABLE":
      return new NoLeader({ topic, partition })
    case "PRODUCER_FENCED":
      return new Fenced({ what: `The producer of ${topic}-${partition}`, error })
    default:
      return failure(error, `Produce to ${topic}-${partition}`, detail)
  }
}

/** Returns the outcome of a batch by the error of its partition in the response, as Java's Sender decides it. */
export const outcomeOf = (error: KafkaError, detail: string | null, batch: SentBatch): BatchOutcome => {
  if (error === "NONE") return { _tag: "Stored" }
  const last = sendErrorOf(error, batch, detail)
  switch (error) {
    case "DUPLICATE_SEQUENCE_NUMBER":
      return { _tag: "StoredWithoutOffset" }
    case "MESSAGE_TOO_LARGE":
    case "RECORD_LIST_TOO_LARGE":
      return batch.records > 1 ? { _tag: "Split" } : { _tag: "Failed", error: last }
    case "OUT_OF_ORDER_SEQUENCE_NUMBER":
    case "UNKNOWN_PRODUCER_ID":
    case "INVALID_PRODUCER_EPOCH":
      if (!batch.idempotent) return { _tag: "Failed", error: last }
      // The earlier batch failed, so the broker had to refuse this one: it is sent again behind that one, whose
      // response decides.
      return batch.hasEarlier ? { _tag: "Retry", kind: "leadership", maybeStored: false, last } : { _tag: "BumpEpoch", last }
    case "REQUEST_TIMED_OUT":
    case "NOT_ENOUGH_REPLICAS_AFTER_APPEND":
    // A broker that waits for replicas or for the disk may end the wait with these two: the records may be in the log
    // by then, and consumers may have read them.
    case "NOT_LEADER_OR_FOLLOWER":
    case "KAFKA_STORAGE_ERROR":
      return { _tag: "Retry", kind: retryKindOf(error), maybeStored: true, last }
    default:
      return isRetriable(error) ? { _tag: "Retry", kind: retryKindOf(error), maybeStored: false, last } : { _tag: "Failed", error: last }
  }
}
