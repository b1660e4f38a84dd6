import { api, array, bool, errorCode, int32, int64, nullable, tagged, throttleTime, uuid, withDefault } from "../type/wire.ts"

/**
 * A broker says that it is alive, how far it has read the metadata, and what it wants: to be fenced, or to shut down (KIP-631). The response says what it is.
 *
 * Version 1 adds directories that have failed (KIP-858), 2 those that are cordoned.
 */
export const BrokerHeartbeat = api(
  { key: 63, name: "BrokerHeartbeat", versions: [0, 2], flexible: 0 },
  {
    brokerId: int32,
    brokerEpoch: withDefault(int64, -1n),
    currentMetadataOffset: int64,
    wantFence: bool,
    wantShutDown: bool,
    offlineLogDirs: tagged(0, 1, array(uuid), []),
    cordonedLogDirs: tagged(1, 2, nullable(array(uuid)), null)
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    isCaughtUp: withDefault(bool, false),
    isFenced: withDefault(bool, true),
    shouldShutDown: bool
  }
)
