import { api, bool, bytes, errorCode, int8, int32, throttleTime, uuid } from "../type/wire.ts"

/** A client sends its metrics, as OTLP, compressed or not (KIP-714). */
export const PushTelemetry = api(
  { key: 72, name: "PushTelemetry", versions: [0, 0], flexible: 0 },
  {
    clientInstanceId: uuid,
    subscriptionId: int32,
    terminating: bool,
    compressionType: int8,
    metrics: bytes
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode
  }
)
