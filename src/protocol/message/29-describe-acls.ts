import { api, array, errorCode, int8, nullable, struct, text, throttleTime, withDefault } from "../type/wire.ts"

/**
 * The access rules that match a filter.
 *
 * Version 1 adds pattern types (KIP-290), 2 is flexible, 3 adds users as a resource (KIP-373).
 */
export const DescribeAcls = api(
  { key: 29, name: "DescribeAcls", versions: [1, 3], flexible: 2 },
  {
    resourceTypeFilter: int8,
    resourceNameFilter: nullable(text),
    patternTypeFilter: withDefault(int8, 3),
    principalFilter: nullable(text),
    hostFilter: nullable(text),
    operation: int8,
    permissionType: int8
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: nullable(text),
    resources: array(
      struct({
        resourceType: int8,
        resourceName: text,
        patternType: withDefault(int8, 3),
        acls: array(
          struct({
            principal: text,
            host: text,
            operation: int8,
            permissionType: int8
          })
        )
      })
    )
  }
)
