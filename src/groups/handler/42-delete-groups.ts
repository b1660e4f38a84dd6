import { Effect, Either } from "effect"
import { Command } from "../../../domain/group/command.ts"
import { deleteGroup } from "../../../domain/group/delete.ts"
import { groupId } from "../../../domain/group/id.ts"
import { errorCode, type Rejection } from "../../../domain/kernel/error-code.ts"
import { DeleteGroups } from "../../protocol/message/42-delete-groups.ts"
import { type Route, route } from "../../wire/route.ts"
import { distinct, forEachInSlices, Sliced } from "../../wire/sliced.ts"
import { type CoordinatorContext, groupIn, submit } from "../context.ts"

/** From this version on an error has a message. */
const messageSince = 3

/** DeleteGroups 0-3: deletes groups without members, with their offsets. Each group is a command of its own: a rejection does not stop the others. */
export const deleteGroups = (coordinator: CoordinatorContext): Route =>
  route(DeleteGroups, {}, ({ groupsNames }, context) => {
    const refused = (name: string, { error, message }: Rejection) => ({
      groupId: name,
      errorCode: errorCode(error),
      ...(context.version >= messageSince ? { errorMessage: message } : {})
    })
    const remove = (name: string) => {
      const command = Command.DeleteGroup({ groupId: groupId(name), at: coordinator.now() })
      // Of very many names most belong to no group, or to a group with members: the durable state tells that without the journal.
      const decision = Either.flatMap(groupIn(coordinator, command.groupId), (group) => deleteGroup(group, command))
      if (Either.isLeft(decision)) return Effect.succeed(refused(name, decision.left))
      return submit(coordinator, command, context, "DeleteGroups").pipe(
        Effect.match({ onSuccess: () => ({ groupId: name, errorCode: 0 }), onFailure: (rejection) => refused(name, rejection) })
      )
    }
    return new Sliced(function* () {
      const names = yield* distinct(groupsNames)
      return Effect.map(forEachInSlices(names, remove), (results) => ({ results }))
    })
  })
