import { api, array, bytes, errorCode, int32, nullable, since, struct, text, throttleTime } from "../type/wire.ts"

/**
 * The leader of a classic group sends the assignment of all members, and each member gets its own.
 *
 * Version 1 adds the throttle time, 3 static membership (KIP-345), 4 is flexible, 5 names protocol type and protocol, so that a mix-up is found (KIP-559).
 */
export const SyncGroup = api(
  { key: 14, name: "SyncGroup", versions: [0, 5], flexible: 4 },
  {
    groupId: text,
    generationId: int32,
    memberId: text,
    groupInstanceId: since(3, nullable(text), null),
    protocolType: since(5, nullable(text), null, "ignorable"),
    protocolName: since(5, nullable(text), null, "ignorable"),
    assignments: array(struct({ memberId: text, assignment: bytes }))
  },
  {
    throttleTimeMs: throttleTime(1),
    errorCode,
    protocolType: since(5, nullable(text), null, "ignorable"),
    protocolName: since(5, nullable(text), null, "ignorable"),
    assignment: bytes
  }
)
