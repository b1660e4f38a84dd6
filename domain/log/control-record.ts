import { Either } from "effect"
import { BatchFault } from "./batch-fault.ts"
import { readInt16, readInt32, writeInt16, writeInt32 } from "./int.ts"
import type { Record, RecordToWrite } from "./record.ts"

/** How a transaction ended (KIP-98): the one control record that a partition's log holds. */
interface EndTransaction {
  readonly outcome: "commit" | "abort"
  /** The epoch of the coordinator that decided it. */
  readonly coordinatorEpoch: number
}

const outcomes = ["abort", "commit"] as const

/**
 * The control record that ends a transaction, for a batch with `isControl`. Key: version 0 and type; value: version 0
 * and the coordinator's epoch.
 */
export const endTransactionRecord = ({ outcome, coordinatorEpoch }: EndTransaction, timestamp: number): RecordToWrite => {
  const key = new Uint8Array(4)
  writeInt16(key, 2, outcomes.indexOf(outcome))
  const value = new Uint8Array(6)
  writeInt32(value, 2, coordinatorEpoch)
  return { timestamp, key, value }
}

/**
 * What a record of a control batch says; undefined for a type that is not ours to know (Kafka tells readers to pass
 * over it). INVALID_RECORD when it is too short.
 */
export const readControlRecord = ({ key, value }: Record): Either.Either<EndTransaction | undefined, BatchFault> => {
  if (key === null || key.length < 4)
    return Either.left(new BatchFault({ error: "INVALID_RECORD", position: 0, reason: "The key of a control record is too short." }))
  const outcome = outcomes[readInt16(key, 2)]
  if (outcome === undefined) return Either.right(undefined)
  if (value === null || value.length < 6)
    return Either.left(new BatchFault({ error: "INVALID_RECORD", position: 0, reason: "The value of a transaction marker is too short." }))
  return Either.right({ outcome, coordinatorEpoch: readInt32(value, 2) })
}
