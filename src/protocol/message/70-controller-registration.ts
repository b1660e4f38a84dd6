import { api, array, bool, errorCode, int16, int32, nullable, struct, text, throttleTime, uint16, uuid } from "../type/wire.ts"

/** A controller presents itself to the active one (KIP-919). Controllers only. */
export const ControllerRegistration = api(
  { key: 70, name: "ControllerRegistration", versions: [0, 0], flexible: 0 },
  {
    controllerId: int32,
    incarnationId: uuid,
    zkMigrationReady: bool,
    listeners: array(struct({ name: text, host: text, port: uint16, securityProtocol: int16 })),
    features: array(
      struct({
        name: text,
        minSupportedVersion: int16,
        maxSupportedVersion: int16
      })
    )
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: nullable(text)
  }
)
