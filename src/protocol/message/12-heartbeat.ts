import { api, errorCode, int32, nullable, since, text } from "../type/wire.ts"

export const Heartbeat = api(
  { key: 12, name: "Heartbeat", versions: [0, 4], flexible: 4 },
  {
    groupId: text,
    generationId: int32,
    memberId: text,
    groupInstanceId: since(3, nullable(text), null)
  },
  {
    throttleTimeMs: since(1, int32, 0, "ignorable"),
    errorCode
  }
)
