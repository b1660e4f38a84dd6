import { api, array, bool, errorCode, float64, int8, nullable, struct, text, throttleTime } from "../type/wire.ts"

/**
 * The quotas of users, client ids and addresses that match a filter (KIP-546).
 *
 * Version 1 is flexible.
 */
export const DescribeClientQuotas = api(
  { key: 48, name: "DescribeClientQuotas", versions: [0, 1], flexible: 1 },
  {
    components: array(struct({ entityType: text, matchType: int8, match: nullable(text) })),
    strict: bool
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: nullable(text),
    entries: nullable(
      array(
        struct({
          entity: array(struct({ entityType: text, entityName: nullable(text) })),
          values: array(struct({ key: text, value: float64 }))
        })
      )
    )
  }
)
