import {
  api,
  array,
  bool,
  errorCode,
  int8,
  int16,
  int32,
  nullable,
  since,
  struct,
  tagged,
  text,
  throttleTime,
  uuid,
  withDefault,
  zeroUuid
} from "../type/wire.ts"

/**
 * Makes topics. A count of -1 for partitions or replicas takes the cluster's default, or follows from the assignments.
 *
 * Version 2 returns the throttle time, 4 allows -1 (KIP-464), 5 is flexible and returns partitions, replicas and settings (KIP-525), 6 may return
 * THROTTLING_QUOTA_EXCEEDED (KIP-599), 7 returns the topic id (KIP-516).
 */
export const CreateTopics = api(
  { key: 19, name: "CreateTopics", versions: [2, 7], flexible: 5 },
  {
    topics: array(
      struct({
        name: text,
        numPartitions: int32,
        replicationFactor: int16,
        assignments: array(struct({ partitionIndex: int32, brokerIds: array(int32) })),
        configs: array(struct({ name: text, value: nullable(text) }))
      })
    ),
    timeoutMs: withDefault(int32, 60000),
    validateOnly: withDefault(bool, false)
  },
  {
    throttleTimeMs: throttleTime(),
    topics: array(
      struct({
        name: text,
        topicId: since(7, uuid, zeroUuid, "ignorable"),
        errorCode,
        errorMessage: nullable(text),
        topicConfigErrorCode: tagged(0, 5, errorCode, 0, "ignorable"),
        numPartitions: since(5, int32, -1, "ignorable"),
        replicationFactor: since(5, int16, -1, "ignorable"),
        configs: since(
          5,
          nullable(
            array(
              struct({
                name: text,
                value: nullable(text),
                readOnly: bool,
                configSource: withDefault(int8, -1),
                isSensitive: bool
              })
            )
          ),
          [],
          "ignorable"
        )
      })
    )
  }
)
