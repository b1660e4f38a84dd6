import { api, array, errorCode, int32, struct, text, throttleTime } from "../type/wire.ts"

/**
 * Moves replicas between the data directories of one broker (KIP-113).
 *
 * Version 2 is flexible.
 */
export const AlterReplicaLogDirs = api(
  { key: 34, name: "AlterReplicaLogDirs", versions: [1, 2], flexible: 2 },
  {
    dirs: array(
      struct({
        path: text,
        topics: array(struct({ name: text, partitions: array(int32) }))
      })
    )
  },
  {
    throttleTimeMs: throttleTime(),
    results: array(
      struct({
        topicName: text,
        partitions: array(struct({ partitionIndex: int32, errorCode }))
      })
    )
  }
)
