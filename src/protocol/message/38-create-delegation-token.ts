import { api, array, bytes, errorCode, int64, nullable, since, struct, text, throttleTime } from "../type/wire.ts"

/**
 * Makes a token with which others may act for its owner (KIP-48). Times are ms since 1970, the lifetime ms.
 *
 * Version 2 is flexible, 3 lets one make a token for another owner (KIP-373).
 */
export const CreateDelegationToken = api(
  { key: 38, name: "CreateDelegationToken", versions: [1, 3], flexible: 2 },
  {
    ownerPrincipalType: since(3, nullable(text), ""),
    ownerPrincipalName: since(3, nullable(text), ""),
    renewers: array(struct({ principalType: text, principalName: text })),
    maxLifetimeMs: int64
  },
  {
    errorCode,
    principalType: text,
    principalName: text,
    tokenRequesterPrincipalType: since(3, text, ""),
    tokenRequesterPrincipalName: since(3, text, ""),
    issueTimestampMs: int64,
    expiryTimestampMs: int64,
    maxTimestampMs: int64,
    tokenId: text,
    hmac: bytes,
    throttleTimeMs: throttleTime()
  }
)
