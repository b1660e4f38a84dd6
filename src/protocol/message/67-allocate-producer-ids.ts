import { api, errorCode, int32, int64, throttleTime, withDefault } from "../type/wire.ts"

/** A broker takes a block of producer ids from the controller, so that no id is ever given twice (KIP-730). */
export const AllocateProducerIds = api(
  { key: 67, name: "AllocateProducerIds", versions: [0, 0], flexible: 0 },
  {
    brokerId: int32,
    brokerEpoch: withDefault(int64, -1n)
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    producerIdStart: int64,
    producerIdLen: int32
  }
)
