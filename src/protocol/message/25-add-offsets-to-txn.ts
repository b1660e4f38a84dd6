import { api, errorCode, int16, int32, int64, text } from "../type/wire.ts"

export const AddOffsetsToTxn = api(
  { key: 25, name: "AddOffsetsToTxn", versions: [0, 4], flexible: 3 },
  {
    transactionalId: text,
    producerId: int64,
    producerEpoch: int16,
    groupId: text
  },
  {
    throttleTimeMs: int32,
    errorCode
  }
)
