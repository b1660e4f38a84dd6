import { api, array, errorCode, nullable, since, struct, text, throttleTime } from "../type/wire.ts"

/**
 * Removes groups without members, and their offsets (KIP-229).
 *
 * Version 2 is flexible, 3 has an error message for each group.
 */
export const DeleteGroups = api(
  { key: 42, name: "DeleteGroups", versions: [0, 3], flexible: 2 },
  {
    groupsNames: array(text)
  },
  {
    throttleTimeMs: throttleTime(),
    results: array(
      struct({
        groupId: text,
        errorCode,
        errorMessage: since(3, nullable(text), null, "ignorable")
      })
    )
  }
)
