import { api, array, errorCode, int8, nullable, struct, text, throttleTime, withDefault } from "../type/wire.ts"

/**
 * Removes the access rules that match filters, and says which.
 *
 * Version 1 adds pattern types (KIP-290), 2 is flexible, 3 adds users as a resource (KIP-373).
 */
export const DeleteAcls = api(
  { key: 31, name: "DeleteAcls", versions: [1, 3], flexible: 2 },
  {
    filters: array(
      struct({
        resourceTypeFilter: int8,
        resourceNameFilter: nullable(text),
        patternTypeFilter: withDefault(int8, 3),
        principalFilter: nullable(text),
        hostFilter: nullable(text),
        operation: int8,
        permissionType: int8
      })
    )
  },
  {
    throttleTimeMs: throttleTime(),
    filterResults: array(
      struct({
        errorCode,
        errorMessage: nullable(text),
        matchingAcls: array(
          struct({
            errorCode,
            errorMessage: nullable(text),
            resourceType: int8,
            resourceName: text,
            patternType: withDefault(int8, 3),
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
