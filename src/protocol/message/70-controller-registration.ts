import { api, array, bool, errorCode, int16, int32, int64, nullable, struct, tagged, text, throttleTime, uint16, uuid } from "../type/wire.ts"

/**
 * A controller presents itself to the active one (KIP-919). Controllers only. It does so again and again while it stands by:
 * `logEndOffset` is our own, the index of the entry of the journal that it reads next. Kafka ignores the field.
 */
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
    ),
    logEndOffset: tagged(0x4643, 0, int64, -1n)
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: nullable(text)
  }
)
