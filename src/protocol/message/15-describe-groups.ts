import { api, array, bool, bytes, errorCode, int32, nullable, since, struct, text, throttleTime } from "../type/wire.ts"

/**
 * State and members of classic groups. Metadata and assignments are there only while the group is Stable.
 *
 * Version 1 adds the throttle time, 3 authorized operations (KIP-430), 4 instance ids (KIP-345), 5 is flexible, 6 returns GROUP_ID_NOT_FOUND instead of a
 * dead group (KIP-1043).
 */
export const DescribeGroups = api(
  { key: 15, name: "DescribeGroups", versions: [0, 6], flexible: 5 },
  {
    groups: array(text),
    includeAuthorizedOperations: since(3, bool, false)
  },
  {
    throttleTimeMs: throttleTime(1),
    groups: array(
      struct({
        errorCode,
        errorMessage: since(6, nullable(text), null),
        groupId: text,
        groupState: text,
        protocolType: text,
        protocolData: text,
        members: array(
          struct({
            memberId: text,
            groupInstanceId: since(4, nullable(text), null, "ignorable"),
            clientId: text,
            clientHost: text,
            memberMetadata: bytes,
            memberAssignment: bytes
          })
        ),
        authorizedOperations: since(3, int32, -2147483648)
      })
    )
  }
)
