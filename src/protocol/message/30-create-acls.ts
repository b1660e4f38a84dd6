import { api, array, errorCode, int8, nullable, struct, text, throttleTime, withDefault } from "../type/wire.ts"

/**
 * Adds access rules.
 *
 * Version 1 adds pattern types (KIP-290), 2 is flexible, 3 adds users as a resource (KIP-373).
 */
export const CreateAcls = api(
  { key: 30, name: "CreateAcls", versions: [1, 3], flexible: 2 },
  {
    creations: array(
      struct({
        resourceType: int8,
        resourceName: text,
        resourcePatternType: withDefault(int8, 3),
        principal: text,
        host: text,
        operation: int8,
        permissionType: int8
      })
    )
  },
  {
    throttleTimeMs: throttleTime(),
    results: array(struct({ errorCode, errorMessage: nullable(text) }))
  }
)
