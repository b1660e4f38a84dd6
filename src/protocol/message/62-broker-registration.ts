import { api, array, bool, errorCode, int16, int32, int64, nullable, since, struct, text, uint16, uuid, withDefault } from "../type/wire.ts"

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
    previousBrokerEpoch: since(3, int64, -1n, "ignorable")
  },
  {
    throttleTimeMs: int32,
    errorCode,
    brokerEpoch: withDefault(int64, -1n)
  }
)
