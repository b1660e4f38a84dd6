import { api, array, errorCode, since, struct, text, throttleTime } from "../type/wire.ts"

/**
 * The groups that this node coordinates.
 *
 * Version 1 adds the throttle time, 3 is flexible, 4 filters by state (KIP-518), 5 by type (KIP-848).
 */
export const ListGroups = api(
  { key: 16, name: "ListGroups", versions: [0, 5], flexible: 3 },
  {
    statesFilter: since(4, array(text), []),
    typesFilter: since(5, array(text), [])
  },
  {
    throttleTimeMs: throttleTime(1),
    errorCode,
    groups: array(
      struct({
        groupId: text,
        protocolType: text,
        groupState: since(4, text, "", "ignorable"),
        groupType: since(5, text, "", "ignorable")
      })
    )
  }
)
