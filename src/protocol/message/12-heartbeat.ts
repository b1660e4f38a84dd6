import { api, errorCode, int32, nullable, since, text, throttleTime } from "../type/wire.ts"

/**
 * A member of a classic group says that it is alive; the response may tell it to rejoin (REBALANCE_IN_PROGRESS).
 *
 * Version 1 adds the throttle time, 3 static membership (KIP-345), 4 is flexible.
 */
export const Heartbeat = api(
  { key: 12, name: "Heartbeat", versions: [0, 4], flexible: 4 },
  {
    groupId: text,
    generationId: int32,
    memberId: text,
    groupInstanceId: since(3, nullable(text), null)
  },
  {
    throttleTimeMs: throttleTime(1),
    errorCode
  }
)
