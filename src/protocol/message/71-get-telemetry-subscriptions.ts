import { api, array, bool, errorCode, int8, int32, text, throttleTime, uuid } from "../type/wire.ts"

/** A client asks which of its metrics the cluster wants, and gets its instance id (KIP-714). */
export const GetTelemetrySubscriptions = api(
  { key: 71, name: "GetTelemetrySubscriptions", versions: [0, 0], flexible: 0 },
  {
    clientInstanceId: uuid
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    clientInstanceId: uuid,
    subscriptionId: int32,
    acceptedCompressionTypes: array(int8),
    pushIntervalMs: int32,
    telemetryMaxBytes: int32,
    deltaTemporality: bool,
    requestedMetrics: array(text)
  }
)
