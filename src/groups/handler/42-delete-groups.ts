import { Effect, Either } from "effect"
import { Command } from "../../../domain/group/command.ts"
import { deleteGroup } from "../../../domain/group/delete.ts"
import { groupId } from "../../../domain/group/id.ts"
import { errorCode, type Rejection } from "../../../domain/kernel/error-code.ts"
import { DeleteGroups } from "../../protocol/message/42-delete-groups.ts"
import { type Route, route } from "../../wire/route.ts"
import { distinct, forEachInSlices, Sliced } from "../../wire/sliced.ts"
import { ask, type GroupRoom, group } from "../context.ts"

/** From this version on a refusal says why. */
const messageSince = 3

/** DeleteGroups 0-3: groups without members go, with their offsets. Each is a command of its own: one that is refused does not stop the others. */
export const deleteGroups = (room: GroupRoom): Route =>
  route(DeleteGroups, {}, ({ groupsNames }, context) => {
    const refused = (name: string, { error, message }: Rejection) => ({
      groupId: name,
      errorCode: errorCode(error),
      ...(context.version >= messageSince ? { errorMessage: message } : {})
    })
    const remove = (name: string) => {
      const command = Command.DeleteGroup({ groupId: groupId(name), at: room.now() })
      // Most of many names are of no group, or of a group with members: the durable state says so without the journal.
      const decision = deleteGroup(group(room, command.groupId), command)
      if (Either.isLeft(decision)) return Effect.succeed(refused(name, decision.left))
      return ask(room, command, context, "DeleteGroups").pipe(
        Effect.match({ onSuccess: () => ({ groupId: name, errorCode: 0 }), onFailure: (rejection) => refused(name, rejection) })
      )
    }
    return new Sliced(function* () {
      const names = yield* distinct(groupsNames)
      return Effect.map(forEachInSlices(names, remove), (results) => ({ results }))
    })
  })
