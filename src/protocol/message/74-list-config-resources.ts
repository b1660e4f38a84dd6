import { api, array, errorCode, int8, int32, since, struct, text } from "../type/wire.ts"

export const ListConfigResources = api(
  { key: 74, name: "ListConfigResources", versions: [0, 1], flexible: 0 },
  {
    resourceTypes: since(1, array(int8), [])
  },
  {
    throttleTimeMs: int32,
    errorCode,
    configResources: array(struct({ resourceName: text, resourceType: since(1, int8, 16, "ignorable") }))
  }
)
