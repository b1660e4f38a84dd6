import { api, array, errorCode, int8, int32, nullable, struct, text, throttleTime } from "../type/wire.ts"

/** Which SCRAM mechanisms users have, and with how many iterations (KIP-554); never the secret. Null asks for all users. */
export const DescribeUserScramCredentials = api(
  { key: 50, name: "DescribeUserScramCredentials", versions: [0, 0], flexible: 0 },
  {
    users: nullable(array(struct({ name: text })))
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: nullable(text),
    results: array(
      struct({
        user: text,
        errorCode,
        errorMessage: nullable(text),
        credentialInfos: array(struct({ mechanism: int8, iterations: int32 }))
      })
    )
  }
)
