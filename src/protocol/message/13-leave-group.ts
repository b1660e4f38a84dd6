import { api, array, errorCode, nullable, since, struct, text, throttleTime, until, withDefault } from "../type/wire.ts"

/**
 * Members leave a classic group; their partitions go to the others at once.
 *
 * Version 1 adds the throttle time, 3 lets several members leave at a time, static ones by their instance id (KIP-345), 4 is flexible, 5 carries a reason
 * (KIP-800).
 */
export const LeaveGroup = api(
  { key: 13, name: "LeaveGroup", versions: [0, 5], flexible: 4 },
  {
    groupId: text,
    memberId: until(2, text, ""),
    members: since(
      3,
      array(
        struct({
          memberId: text,
          groupInstanceId: withDefault(nullable(text), null),
          reason: since(5, nullable(text), null, "ignorable")
        })
      ),
      []
    )
  },
  {
    throttleTimeMs: throttleTime(1),
    errorCode,
    members: since(3, array(struct({ memberId: text, groupInstanceId: nullable(text), errorCode })), [])
  }
)
