import type { Group } from "../../../domain/group/state.ts"
import { ListGroups } from "../../protocol/message/16-list-groups.ts"
import type { ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { Sliced, visited } from "../../wire/sliced.ts"
import type { CoordinatorContext } from "../context.ts"

type Listed = ResponseDraft<typeof ListGroups>["groups"][number]

/** The one type of group that is built (KIP-848 brought others). */
const groupType = "classic"

/** Returns whether a word passes a filter: every word passes an empty filter, and case does not matter. */
const passes = (filter: ReadonlyArray<string>): ((word: string) => boolean) => {
  const wanted = new Set(filter.map((word) => word.toLowerCase()))
  return (word) => wanted.size === 0 || wanted.has(word.toLowerCase())
}

/** ListGroups 0-5: every group that this node coordinates. */
export const listGroups = (coordinator: CoordinatorContext): Route =>
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
        if (passes(typesFilter)(groupType)) for (const { writer } of [...coordinator.streams]) yield* visited(writer.state().values(), list)
        return { errorCode: 0, groups }
      })
  )
