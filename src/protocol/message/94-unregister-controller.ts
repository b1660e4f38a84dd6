import { api, errorCode, int32, nullable, text, throttleTime } from "../type/wire.ts"

/** Removes a controller that will not start again. */
export const UnregisterController = api(
  { key: 94, name: "UnregisterController", versions: [0, 0], flexible: 0 },
  {
    controllerId: int32
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: nullable(text)
  }
)
