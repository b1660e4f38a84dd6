import { api, array, bool, errorCode, int8, int16, int32, nullable, since, struct, text, throttleTime, until, withDefault } from "../type/wire.ts"

/**
 * Raises or lowers the levels of the cluster's features (KIP-584).
 *
 * Version 1 can try without doing and says what kind of downgrade is allowed, 2 answers without a result for each feature.
 */
export const UpdateFeatures = api(
  { key: 57, name: "UpdateFeatures", versions: [0, 2], flexible: 0 },
  {
    timeoutMs: withDefault(int32, 60000),
    featureUpdates: array(
      struct({
        feature: text,
        maxVersionLevel: int16,
        allowDowngrade: until(0, bool, false),
        upgradeType: since(1, int8, 1)
      })
    ),
    validateOnly: since(1, bool, false)
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: nullable(text),
    results: until(1, array(struct({ feature: text, errorCode, errorMessage: nullable(text) })), [], "ignorable")
  }
)
