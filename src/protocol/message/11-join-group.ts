import { api, array, bool, bytes, errorCode, int32, nullable, nullableSince, since, struct, text, withDefault } from "../type/wire.ts"

export const JoinGroup = api(
  { key: 11, name: "JoinGroup", versions: [0, 9], flexible: 6 },
  {
    groupId: text,
    sessionTimeoutMs: int32,
    rebalanceTimeoutMs: since(1, int32, -1, "ignorable"),
    memberId: text,
    groupInstanceId: since(5, nullable(text), null),
    protocolType: text,
    protocols: array(struct({ name: text, metadata: bytes })),
    reason: since(8, nullable(text), null, "ignorable")
  },
  {
    throttleTimeMs: since(2, int32, 0, "ignorable"),
    errorCode,
    generationId: withDefault(int32, -1),
    protocolType: since(7, nullable(text), null, "ignorable"),
    protocolName: nullableSince(7, text),
    leader: text,
    skipAssignment: since(9, bool, false),
    memberId: text,
    members: array(
      struct({
        memberId: text,
        groupInstanceId: since(5, nullable(text), null, "ignorable"),
        metadata: bytes
      })
    )
  }
)
