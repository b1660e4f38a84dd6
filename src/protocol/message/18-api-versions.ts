import { api, array, bool, errorCode, int16, int32, int64, nullable, since, struct, tagged, text, throttleTime } from "../type/wire.ts"

/**
 * The APIs and versions that the node serves; the first request of nearly every client. A version that the node does not know is answered in version 0
 * with UNSUPPORTED_VERSION and the range for this API (KIP-511). The response's header is that of version 0 always.
 *
 * Version 1 adds the throttle time, 3 is flexible and names the client's software (KIP-511) and the cluster's features (KIP-584), 4 allows features that
 * start at 0, 5 lets the client say whom it believes to talk to (KIP-1242).
 */
export const ApiVersions = api(
  { key: 18, name: "ApiVersions", versions: [0, 5], flexible: 3 },
  {
    clientSoftwareName: since(3, text, "", "ignorable"),
    clientSoftwareVersion: since(3, text, "", "ignorable"),
    clusterId: since(5, nullable(text), null, "ignorable"),
    nodeId: since(5, int32, -1, "ignorable")
  },
  {
    errorCode,
    apiKeys: array(struct({ apiKey: int16, minVersion: int16, maxVersion: int16 })),
    throttleTimeMs: throttleTime(1),
    supportedFeatures: tagged(0, 3, array(struct({ name: text, minVersion: int16, maxVersion: int16 })), [], "ignorable"),
    finalizedFeaturesEpoch: tagged(1, 3, int64, -1n, "ignorable"),
    finalizedFeatures: tagged(2, 3, array(struct({ name: text, maxVersionLevel: int16, minVersionLevel: int16 })), [], "ignorable"),
    zkMigrationReady: tagged(3, 3, bool, false, "ignorable")
  }
)
