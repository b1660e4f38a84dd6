import { api, array, errorCode, int16, int32, nullable, struct, tagged, text, throttleTime, uint16, uuid, withDefault, zeroOf } from "../type/wire.ts"

const currentLeader = struct({
  leaderId: withDefault(int32, -1),
  leaderEpoch: withDefault(int32, -1),
  host: text,
  port: int32
})

/** A voter tells the metadata quorum its addresses and the versions it supports (KIP-853). Controllers only. */
export const UpdateRaftVoter = api(
  { key: 82, name: "UpdateRaftVoter", versions: [0, 0], flexible: 0 },
  {
    clusterId: nullable(text),
    currentLeaderEpoch: int32,
    voterId: int32,
    voterDirectoryId: uuid,
    listeners: array(struct({ name: text, host: text, port: uint16 })),
    kRaftVersionFeature: struct({ minSupportedVersion: int16, maxSupportedVersion: int16 })
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    currentLeader: tagged(0, 0, currentLeader, zeroOf(currentLeader))
  }
)
