import { api, array, errorCode, int32, nullable, since, struct, text, until, withDefault } from "../type/wire.ts"

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
    throttleTimeMs: since(1, int32, 0, "ignorable"),
    errorCode,
    members: since(3, array(struct({ memberId: text, groupInstanceId: nullable(text), errorCode })), [])
  }
)
