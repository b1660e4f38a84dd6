import { api, array, errorCode, int32, nullable, nullableSince, since, struct, text, throttleTime, until, uuid, withDefault, zeroUuid } from "../type/wire.ts"

/**
 * Removes topics with all their records.
 *
 * Version 1 adds the throttle time, 3 may return TOPIC_DELETION_DISABLED, 4 is flexible, 5 has error messages and THROTTLING_QUOTA_EXCEEDED (KIP-599), 6
 * names topics by name or id (KIP-516).
 */
export const DeleteTopics = api(
  { key: 20, name: "DeleteTopics", versions: [1, 6], flexible: 4 },
  {
    topics: since(
      6,
      array(
        struct({
          name: withDefault(nullable(text), null),
          topicId: uuid
        })
      ),
      []
    ),
    topicNames: until(5, array(text), [], "ignorable"),
    timeoutMs: int32
  },
  {
    throttleTimeMs: throttleTime(),
    responses: array(
      struct({
        name: nullableSince(6, text),
        topicId: since(6, uuid, zeroUuid, "ignorable"),
        errorCode,
        errorMessage: since(5, nullable(text), null, "ignorable")
      })
    )
  }
)
