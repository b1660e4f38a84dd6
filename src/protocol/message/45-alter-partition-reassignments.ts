import { api, array, bool, errorCode, int32, nullable, since, struct, text, throttleTime, withDefault } from "../type/wire.ts"

/**
 * Moves partitions to other replicas; null replicas cancel a move (KIP-455). Times out after `timeoutMs`.
 *
 * Version 1 can forbid that the number of replicas changes.
 */
export const AlterPartitionReassignments = api(
  { key: 45, name: "AlterPartitionReassignments", versions: [0, 1], flexible: 0 },
  {
    timeoutMs: withDefault(int32, 60000),
    allowReplicationFactorChange: since(1, bool, true),
    topics: array(
      struct({
        name: text,
        partitions: array(
          struct({
            partitionIndex: int32,
            replicas: withDefault(nullable(array(int32)), null)
          })
        )
      })
    )
  },
  {
    throttleTimeMs: throttleTime(),
    allowReplicationFactorChange: since(1, bool, true, "ignorable"),
    errorCode,
    errorMessage: nullable(text),
    responses: array(
      struct({
        name: text,
        partitions: array(struct({ partitionIndex: int32, errorCode, errorMessage: nullable(text) }))
      })
    )
  }
)
