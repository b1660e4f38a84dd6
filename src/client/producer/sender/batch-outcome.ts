import type { KafkaError } from "../../../../domain/kernel/error-code.ts"
import { isRetriable } from "../../../../domain/kernel/error-code.ts"
import { Fenced, failure, InvalidTopic, MessageTooLarge, NoLeader, NotEnoughReplicas, UnknownTopic } from "../../error.ts"
import { type RetryKind, retryKindOf } from "../../runtime/retry.ts"
import type { SendError } from "../accumulator/delivery.ts"

/** What becomes of a batch after the broker's answer. */
export type Verdict =
  | { readonly _tag: "Stored" }
  /** Send it again as it is. `maybeStored`: the broker may have it all the same. */
  | { readonly _tag: "Again"; readonly kind: RetryKind; readonly maybeStored: boolean; readonly last: SendError }
  /** Send it again under a new producer epoch. */
  | { readonly _tag: "NewEpoch"; readonly last: SendError }
  /** Send it in two halves. */
  | { readonly _tag: "Split" }
  /** The broker has it, and does not know where. */
  | { readonly _tag: "StoredSomewhere" }
  | { readonly _tag: "Failed"; readonly error: SendError }

export interface Judged {
  readonly topic: string
  readonly partition: number
  readonly records: number
  readonly sizeBytes: number
  readonly idempotent: boolean
  /** A batch before it has no final answer yet. */
  readonly hasEarlier: boolean
}

/** The error that the user gets when `error` is the last word. */
export const sendError = (error: KafkaError, { topic, partition, sizeBytes }: Judged, detail: string | null): SendError => {
  switch (error) {
    case "UNKNOWN_TOPIC_OR_PARTITION":
    case "UNKNOWN_TOPIC_ID":
      return new UnknownTopic({ topic })
    case "INVALID_TOPIC_EXCEPTION":
      return new InvalidTopic({ topic, reason: detail ?? "nothing can be sent to this topic." })
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

/** Kafka's answer for a batch, judged. Order as in Java's Sender; see PartitionQueue for what follows. */
export const judge = (error: KafkaError, detail: string | null, batch: Judged): Verdict => {
  if (error === "NONE") return { _tag: "Stored" }
  const last = sendError(error, batch, detail)
  switch (error) {
    case "DUPLICATE_SEQUENCE_NUMBER":
      return { _tag: "StoredSomewhere" }
    case "MESSAGE_TOO_LARGE":
    case "RECORD_LIST_TOO_LARGE":
      return batch.records > 1 ? { _tag: "Split" } : { _tag: "Failed", error: last }
    case "OUT_OF_ORDER_SEQUENCE_NUMBER":
    case "UNKNOWN_PRODUCER_ID":
    case "INVALID_PRODUCER_EPOCH":
      if (!batch.idempotent) return { _tag: "Failed", error: last }
      // The batch before it failed, so this one may have had to: it goes out again behind that one, whose answer decides.
      return batch.hasEarlier ? { _tag: "Again", kind: "leadership", maybeStored: false, last } : { _tag: "NewEpoch", last }
    case "REQUEST_TIMED_OUT":
    case "NOT_ENOUGH_REPLICAS_AFTER_APPEND":
    // These two also end the wait for replicas or for the disk: the records may be in the log by then, and consumers may have read them.
    case "NOT_LEADER_OR_FOLLOWER":
    case "KAFKA_STORAGE_ERROR":
      return { _tag: "Again", kind: retryKindOf(error), maybeStored: true, last }
    default:
      return isRetriable(error) ? { _tag: "Again", kind: retryKindOf(error), maybeStored: false, last } : { _tag: "Failed", error: last }
  }
}
