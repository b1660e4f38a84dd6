import { api, array, bytes, errorCode, int8, int32, nullable, struct, text, throttleTime } from "../type/wire.ts"

/** Sets and removes the SCRAM credentials of users (KIP-554). The password comes salted, never as it is. */
export const AlterUserScramCredentials = api(
  { key: 51, name: "AlterUserScramCredentials", versions: [0, 0], flexible: 0 },
  {
    deletions: array(struct({ name: text, mechanism: int8 })),
    upsertions: array(
      struct({
        name: text,
        mechanism: int8,
        iterations: int32,
        salt: bytes,
        saltedPassword: bytes
      })
    )
  },
  {
    throttleTimeMs: throttleTime(),
    results: array(struct({ user: text, errorCode, errorMessage: nullable(text) }))
  }
)
