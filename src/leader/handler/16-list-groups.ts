import { sortedGroups } from "../../../domain/group/groups.ts"
import { ListGroups } from "../../protocol/message/16-list-groups.ts"
import { type Route, route } from "../../wire/route.ts"
import type { GroupRoom } from "../group/room.ts"

/** The one kind of group that is built (KIP-848 brought others). */
const groupType = "classic"

/** Whether a filter lets a word through: an empty one does, and upper and lower case are the same. */
const passes = (filter: ReadonlyArray<string>): ((word: string) => boolean) => {
  const wanted = new Set(filter.map((word) => word.toLowerCase()))
  return (word) => wanted.size === 0 || wanted.has(word.toLowerCase())
}

/** ListGroups 0-5: every group of the cluster, since this node coordinates them all. */
export const listGroups = (room: GroupRoom): Route =>
  route(ListGroups, {}, ({ statesFilter, typesFilter }) => {
    const state = passes(statesFilter)
    const shown = passes(typesFilter)(groupType) ? room.streams.flatMap(({ writer }) => sortedGroups(writer.state())) : []
    const groups = shown
      .filter(({ phase }) => state(phase))
      .map(({ groupId, phase, protocolType }) => ({ groupId, protocolType: protocolType ?? "", groupState: phase, groupType }))
    return { throttleTimeMs: 0, errorCode: 0, groups }
  })
