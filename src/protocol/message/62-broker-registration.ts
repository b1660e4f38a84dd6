import {
  api,
  array,
  bool,
  errorCode,
  int16,
  int32,
  int64,
  nullable,
  since,
  struct,
  tagged,
  text,
  throttleTime,
  uint16,
  uuid,
  withDefault
} from "../type/wire.ts"

/**
 * A broker presents itself to the controller and gets its epoch (KIP-631). The incarnation id changes with every start.
 *
 * Version 1 comes from the move away from ZooKeeper (KIP-866), 2 adds the ids of the data directories (KIP-858), 3 the epoch before a clean shutdown
 * (KIP-966), 4 allows features that start at 0.
 *
 * `keepsWhatItAcknowledged` is our own: the logs have every record that the broker acknowledged, but for logs that a heartbeat disowns. Kafka ignores the field.
 * `wantsId` and `givenId` are our own, too: the request registers nothing, and the response has an id for a new broker; -1: none.
 */
export const BrokerRegistration = api(
  { key: 62, name: "BrokerRegistration", versions: [0, 4], flexible: 0 },
  {
    brokerId: int32,
    clusterId: text,
    incarnationId: uuid,
    listeners: array(struct({ name: text, host: text, port: uint16, securityProtocol: int16 })),
    features: array(
      struct({
        name: text,
        minSupportedVersion: int16,
        maxSupportedVersion: int16
      })
    ),
    rack: nullable(text),
    isMigratingZkBroker: since(1, bool, false),
    logDirs: since(2, array(uuid), [], "ignorable"),
    previousBrokerEpoch: since(3, int64, -1n, "ignorable"),
    keepsWhatItAcknowledged: tagged(0x4643, 0, bool, false),
    wantsId: tagged(0x4644, 0, bool, false)
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    brokerEpoch: withDefault(int64, -1n),
    givenId: tagged(0x4643, 0, int32, -1)
  }
)
