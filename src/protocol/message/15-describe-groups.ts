import { api, array, bool, bytes, errorCode, int32, nullable, since, struct, text } from "../type/wire.ts"

export const DescribeGroups = api(
  { key: 15, name: "DescribeGroups", versions: [0, 6], flexible: 5 },
  {
    groups: array(text),
    includeAuthorizedOperations: since(3, bool, false)
  },
  {
    throttleTimeMs: since(1, int32, 0, "ignorable"),
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
