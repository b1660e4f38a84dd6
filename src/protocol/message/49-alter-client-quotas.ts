import { api, array, bool, errorCode, float64, nullable, struct, text, throttleTime } from "../type/wire.ts"

/**
 * Sets and removes quotas (KIP-546).
 *
 * Version 1 is flexible.
 */
export const AlterClientQuotas = api(
  { key: 49, name: "AlterClientQuotas", versions: [0, 1], flexible: 1 },
  {
    entries: array(
      struct({
        entity: array(struct({ entityType: text, entityName: nullable(text) })),
        ops: array(struct({ key: text, value: float64, remove: bool }))
      })
    ),
    validateOnly: bool
  },
  {
    throttleTimeMs: throttleTime(),
    entries: array(
      struct({
        errorCode,
        errorMessage: nullable(text),
        entity: array(struct({ entityType: text, entityName: nullable(text) }))
      })
    )
  }
)
