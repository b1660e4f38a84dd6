import { api, array, bytes, errorCode, int64, nullable, since, struct, text, throttleTime } from "../type/wire.ts"

/**
 * The delegation tokens of owners; null asks for all that one may see (KIP-48).
 *
 * Version 2 is flexible, 3 adds the requester of the token (KIP-373).
 */
export const DescribeDelegationToken = api(
  { key: 41, name: "DescribeDelegationToken", versions: [1, 3], flexible: 2 },
  {
    owners: nullable(array(struct({ principalType: text, principalName: text })))
  },
  {
    errorCode,
    tokens: array(
      struct({
        principalType: text,
        principalName: text,
        tokenRequesterPrincipalType: since(3, text, ""),
        tokenRequesterPrincipalName: since(3, text, ""),
        issueTimestamp: int64,
        expiryTimestamp: int64,
        maxTimestamp: int64,
        tokenId: text,
        hmac: bytes,
        renewers: array(struct({ principalType: text, principalName: text }))
      })
    ),
    throttleTimeMs: throttleTime()
  }
)
