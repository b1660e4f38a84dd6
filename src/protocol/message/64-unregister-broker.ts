import { api, errorCode, int32, nullable, text } from "../type/wire.ts"

export const UnregisterBroker = api(
  { key: 64, name: "UnregisterBroker", versions: [0, 0], flexible: 0 },
  {
    brokerId: int32
  },
  {
    throttleTimeMs: int32,
    errorCode,
    errorMessage: nullable(text)
  }
)
