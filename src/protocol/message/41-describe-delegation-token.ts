import { api, array, bytes, errorCode, int32, int64, nullable, since, struct, text } from "../type/wire.ts"

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
    throttleTimeMs: int32
  }
)
