import { api, array, bool, errorCode, int32, nullable, since, struct, text, throttleTime, uint16, uuid } from "../type/wire.ts"

/**
 * Adds a voter to the metadata quorum (KIP-853).
 *
 * Version 1 says whether to answer only when the change is committed.
 */
export const AddRaftVoter = api(
  { key: 80, name: "AddRaftVoter", versions: [0, 1], flexible: 0 },
  {
    clusterId: nullable(text),
    timeoutMs: int32,
    voterId: int32,
    voterDirectoryId: uuid,
    listeners: array(struct({ name: text, host: text, port: uint16 })),
    ackWhenCommitted: since(1, bool, true)
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: nullable(text)
  }
)
