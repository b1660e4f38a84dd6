import { api, array, bool, errorCode, int8, nullable, struct, text, throttleTime } from "../type/wire.ts"

/**
 * Changes single settings: sets (operation 0), deletes (1), or appends to (2) and subtracts from (3) a list (KIP-339).
 *
 * Version 1 is flexible.
 */
export const IncrementalAlterConfigs = api(
  { key: 44, name: "IncrementalAlterConfigs", versions: [0, 1], flexible: 1 },
  {
    resources: array(
      struct({
        resourceType: int8,
        resourceName: text,
        configs: array(struct({ name: text, configOperation: int8, value: nullable(text) }))
      })
    ),
    validateOnly: bool
  },
  {
    throttleTimeMs: throttleTime(),
    responses: array(
      struct({
        errorCode,
        errorMessage: nullable(text),
        resourceType: int8,
        resourceName: text
      })
    )
  }
)
