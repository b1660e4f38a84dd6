import { api, errorCode, int32, nullable, text, throttleTime } from "../type/wire.ts"

/** Removes a broker that will not start again (KIP-631). */
export const UnregisterBroker = api(
  { key: 64, name: "UnregisterBroker", versions: [0, 0], flexible: 0 },
  {
    brokerId: int32
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: nullable(text)
  }
)
