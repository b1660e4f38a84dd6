import { Effect } from "effect"
import { Command } from "../../../domain/group/command.ts"
import { groupId } from "../../../domain/group/id.ts"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import { DeleteGroups } from "../../protocol/message/42-delete-groups.ts"
import { type Route, route } from "../../wire/route.ts"
import { ask, type GroupRoom } from "../group/room.ts"

/** From this version on a refusal says why. */
const messageSince = 3

/** DeleteGroups 0-3: groups without members go, with their offsets. Each is a command of its own: one that is refused does not stop the others. */
export const deleteGroups = (room: GroupRoom): Route =>
  route(DeleteGroups, {}, ({ groupsNames }, context) => {
    const remove = (name: string) =>
      ask(room, Command.DeleteGroup({ groupId: groupId(name), at: room.now() }), context, "DeleteGroups").pipe(
        Effect.match({
          onSuccess: () => ({ groupId: name, errorCode: 0 }),
          onFailure: ({ error, message }) => ({
            groupId: name,
            errorCode: errorCode(error),
            ...(context.version >= messageSince ? { errorMessage: message } : {})
          })
        })
      )
    return Effect.map(Effect.forEach(new Set(groupsNames), remove, { concurrency: 16 }), (results) => ({ throttleTimeMs: 0, results }))
  })
