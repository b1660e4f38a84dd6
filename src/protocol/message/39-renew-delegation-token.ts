import { api, bytes, errorCode, int64, throttleTime } from "../type/wire.ts"

/**
 * Lets a delegation token live longer (KIP-48).
 *
 * Version 2 is flexible.
 */
export const RenewDelegationToken = api(
  { key: 39, name: "RenewDelegationToken", versions: [1, 2], flexible: 2 },
  {
    hmac: bytes,
    renewPeriodMs: int64
  },
  {
    errorCode,
    expiryTimestampMs: int64,
    throttleTimeMs: throttleTime()
  }
)
