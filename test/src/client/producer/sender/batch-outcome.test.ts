import { expect, test } from "bun:test"
import { outcomeOf } from "../../../../../src/client/producer/sender/batch-outcome.ts"

const batch = { topic: "orders", partition: 0, records: 2, sizeBytes: 200, idempotent: true, hasEarlier: false }

test("L3: what a broker may say after it appended leaves the batch in doubt, so that its sender is never told that it failed", () => {
  for (const error of ["REQUEST_TIMED_OUT", "NOT_ENOUGH_REPLICAS_AFTER_APPEND", "NOT_LEADER_OR_FOLLOWER", "KAFKA_STORAGE_ERROR"] as const)
    expect(outcomeOf(error, null, batch)).toMatchObject({ _tag: "Retry", maybeStored: true })
})

test("what a broker says before it appends leaves none", () => {
  for (const error of ["NOT_ENOUGH_REPLICAS", "UNKNOWN_TOPIC_OR_PARTITION", "LEADER_NOT_AVAILABLE", "THROTTLING_QUOTA_EXCEEDED"] as const)
    expect(outcomeOf(error, null, batch)).toMatchObject({ _tag: "Retry", maybeStored: false })
})
