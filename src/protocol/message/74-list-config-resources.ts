import { api, array, errorCode, int8, since, struct, text, throttleTime } from "../type/wire.ts"

/**
 * The names of all things of some types that have settings.
 *
 * Version 0 lists client metrics alone (KIP-714), 1 the types that are asked for, or all (KIP-1142).
 */
export const ListConfigResources = api(
  { key: 74, name: "ListConfigResources", versions: [0, 1], flexible: 0 },
  {
    resourceTypes: since(1, array(int8), [])
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    configResources: array(struct({ resourceName: text, resourceType: since(1, int8, 16, "ignorable") }))
  }
)
