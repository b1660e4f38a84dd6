import { api, errorCode, int32, nullable, text, throttleTime, uuid } from "../type/wire.ts"

/** Removes a voter from the metadata quorum (KIP-853). */
export const RemoveRaftVoter = api(
  { key: 81, name: "RemoveRaftVoter", versions: [0, 0], flexible: 0 },
  {
    clusterId: nullable(text),
    voterId: int32,
    voterDirectoryId: uuid
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: nullable(text)
  }
)
