import { ListGroups } from "../../protocol/message/16-list-groups.ts"
import { type Route, route } from "../../wire/route.ts"

/** ListGroups: none. The leader coordinates every group; clients ask each node and join the lists, so a group is listed once. */
export const listGroups: Route = route(ListGroups, {}, () => ({ throttleTimeMs: 0, errorCode: 0, groups: [] }))
