import { api, array, bool, errorCode, int8, int32, int64, nullable, struct, tagged, throttleTime, uuid, withDefault } from "../type/wire.ts"

/** Why a broker disowns a replica: its directory is offline, its log is damaged, there is no log, or the log takes no records, since its disk is full. */
export type DisownReason = "disk" | "damage" | "missing" | "unwritable"

/** The reasons by their numbers in `disowned`. */
export const disownReasons: ReadonlyArray<DisownReason> = ["disk", "damage", "missing", "unwritable"]

/**
 * A broker says that it is alive, how far it has read the metadata, and what it wants: to be fenced, or to shut down (KIP-631). The response says what it is.
 *
 * Version 1 adds directories that have failed (KIP-858), 2 those that are cordoned.
 *
 * `disowned` is our own: the replicas whose logs do not have what the broker acknowledged, or take no records. They leave the in-sync sets and ELRs before the rest
 * of the heartbeat counts.
 * `lost` is our own, too: the committed records that replicas of the broker removed, `from` to `to - 1`. Kafka ignores both fields.
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
    cordonedLogDirs: tagged(1, 2, nullable(array(uuid)), null),
    disowned: tagged(0x4643, 0, array(struct({ reason: int8, topics: array(struct({ topicId: uuid, partitions: array(int32) })) })), []),
    lost: tagged(0x4644, 0, array(struct({ topicId: uuid, partition: int32, leaderEpoch: int32, from: int64, to: int64 })), [])
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    isCaughtUp: withDefault(bool, false),
    isFenced: withDefault(bool, true),
    shouldShutDown: bool
  }
)
