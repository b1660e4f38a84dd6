import { api, array, bool, errorCode, int8, nullable, struct, text, throttleTime } from "../type/wire.ts"

/**
 * Replaces all settings of a topic or broker. IncrementalAlterConfigs is the safer way.
 *
 * Version 2 is flexible.
 */
export const AlterConfigs = api(
  { key: 33, name: "AlterConfigs", versions: [0, 2], flexible: 2 },
  {
    resources: array(
      struct({
        resourceType: int8,
        resourceName: text,
        configs: array(struct({ name: text, value: nullable(text) }))
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
