import type { Group } from "../../../domain/group/state.ts"
import { ListGroups } from "../../protocol/message/16-list-groups.ts"
import type { ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { Sliced, visited } from "../../wire/sliced.ts"
import type { GroupRoom } from "../context.ts"

type Listed = ResponseDraft<typeof ListGroups>["groups"][number]

/** The one kind of group that is built (KIP-848 brought others). */
const groupType = "classic"

/** Whether a filter lets a word through: an empty one does, and upper and lower case are the same. */
const passes = (filter: ReadonlyArray<string>): ((word: string) => boolean) => {
  const wanted = new Set(filter.map((word) => word.toLowerCase()))
  return (word) => wanted.size === 0 || wanted.has(word.toLowerCase())
}

/** ListGroups 0-5: every group of the cluster, since this node coordinates them all. */
export const listGroups = (room: GroupRoom): Route =>
  route(
    ListGroups,
    {},
    ({ statesFilter, typesFilter }) =>
      new Sliced(function* () {
        const state = passes(statesFilter)
        const groups: Array<Listed> = []
        const list = ({ groupId, phase, protocolType }: Group) => {
          if (state(phase)) groups.push({ groupId, protocolType: protocolType ?? "", groupState: phase, groupType })
        }
        if (passes(typesFilter)(groupType)) for (const { writer } of room.streams) yield* visited(writer.state().values(), list)
        return { errorCode: 0, groups }
      })
  )
