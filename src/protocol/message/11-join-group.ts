import { api, array, bool, bytes, errorCode, int32, nullable, nullableSince, since, struct, text, throttleTime, withDefault } from "../type/wire.ts"

/**
 * A client wants to be a member of a classic group, and says which assignors it knows. The response comes when all members have joined; the leader gets
 * every member's metadata.
 *
 * Version 1 adds the rebalance timeout (before that the session timeout is used), 2 the throttle time, 4 sends a new member away once with its id
 * (MEMBER_ID_REQUIRED, KIP-394), 5 has static membership (KIP-345), 6 is flexible, 7 returns the protocol type (KIP-559), 8 carries a reason
 * (KIP-800), 9 tells a static leader to skip the assignment (KIP-814).
 */
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
    throttleTimeMs: throttleTime(2),
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
