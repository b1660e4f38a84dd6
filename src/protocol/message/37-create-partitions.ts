import { api, array, bool, errorCode, int32, nullable, struct, text, throttleTime, withDefault } from "../type/wire.ts"

/**
 * Gives topics more partitions; `count` is how many there are afterwards (KIP-195).
 *
 * Version 2 is flexible, 3 may return THROTTLING_QUOTA_EXCEEDED (KIP-599).
 */
export const CreatePartitions = api(
  { key: 37, name: "CreatePartitions", versions: [0, 3], flexible: 2 },
  {
    topics: array(
      struct({
        name: text,
        count: int32,
        assignments: nullable(array(struct({ brokerIds: array(int32) })))
      })
    ),
    timeoutMs: int32,
    validateOnly: bool
  },
  {
    throttleTimeMs: throttleTime(),
    results: array(
      struct({
        name: text,
        errorCode,
        errorMessage: withDefault(nullable(text), null)
      })
    )
  }
)
