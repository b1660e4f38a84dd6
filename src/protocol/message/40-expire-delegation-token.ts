import { api, bytes, errorCode, int64, throttleTime } from "../type/wire.ts"

/**
 * Ends a delegation token, at once or later (KIP-48).
 *
 * Version 2 is flexible.
 */
export const ExpireDelegationToken = api(
  { key: 40, name: "ExpireDelegationToken", versions: [1, 2], flexible: 2 },
  {
    hmac: bytes,
    expiryTimePeriodMs: int64
  },
  {
    errorCode,
    expiryTimestampMs: int64,
    throttleTimeMs: throttleTime()
  }
)
