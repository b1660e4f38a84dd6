import { api, array, between, errorCode, int8, int32, nullable, since, struct, text, throttleTime, until } from "../type/wire.ts"

/**
 * Which node leads a group (key type 0), a transaction (1) or the state of a share group's partition (2, with a key of group:topicId:partition).
 *
 * Version 1 adds the key type and an error message, 3 is flexible, 4 asks for many keys at once (KIP-699), 5 may return TRANSACTION_ABORTABLE (KIP-890), 6
 * knows share groups (KIP-932).
 */
export const FindCoordinator = api(
  { key: 10, name: "FindCoordinator", versions: [0, 6], flexible: 3 },
  {
    key: until(3, text, ""),
    keyType: since(1, int8, 0),
    coordinatorKeys: since(4, array(text), [])
  },
  {
    throttleTimeMs: throttleTime(1),
    errorCode: until(3, errorCode, 0),
    errorMessage: between(1, 3, nullable(text), "", "ignorable"),
    nodeId: until(3, int32, 0),
    host: until(3, text, ""),
    port: until(3, int32, 0),
    coordinators: since(
      4,
      array(
        struct({
          key: text,
          nodeId: int32,
          host: text,
          port: int32,
          errorCode,
          errorMessage: nullable(text)
        })
      ),
      []
    )
  }
)
