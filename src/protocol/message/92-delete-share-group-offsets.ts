import { api, array, errorCode, nullable, struct, text, throttleTime, uuid, withDefault } from "../type/wire.ts"

/** Removes topics from a share group without members (KIP-932). */
export const DeleteShareGroupOffsets = api(
  { key: 92, name: "DeleteShareGroupOffsets", versions: [0, 0], flexible: 0 },
  {
    groupId: text,
    topics: array(struct({ topicName: text }))
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: withDefault(nullable(text), null),
    responses: array(
      struct({
        topicName: text,
        topicId: uuid,
        errorCode,
        errorMessage: withDefault(nullable(text), null)
      })
    )
  }
)
