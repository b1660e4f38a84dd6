import { OffsetCommit } from "../protocol/message/08-offset-commit.ts"
import { OffsetFetch } from "../protocol/message/09-offset-fetch.ts"
import { JoinGroup } from "../protocol/message/11-join-group.ts"
import { Heartbeat } from "../protocol/message/12-heartbeat.ts"
import { LeaveGroup } from "../protocol/message/13-leave-group.ts"
import { SyncGroup } from "../protocol/message/14-sync-group.ts"
import { DescribeGroups } from "../protocol/message/15-describe-groups.ts"
import { ListGroups } from "../protocol/message/16-list-groups.ts"
import { DeleteGroups } from "../protocol/message/42-delete-groups.ts"
import { OffsetDelete } from "../protocol/message/47-offset-delete.ts"
import type { Route } from "../wire/route.ts"
import type { CoordinatorContext } from "./context.ts"
import { offsetCommit } from "./handler/08-offset-commit.ts"
import { offsetFetch } from "./handler/09-offset-fetch.ts"
import { joinGroup } from "./handler/11-join-group.ts"
import { heartbeat } from "./handler/12-heartbeat.ts"
import { leaveGroup } from "./handler/13-leave-group.ts"
import { syncGroup } from "./handler/14-sync-group.ts"
import { describeGroups } from "./handler/15-describe-groups.ts"
import { listGroups } from "./handler/16-list-groups.ts"
import { deleteGroups } from "./handler/42-delete-groups.ts"
import { offsetDelete } from "./handler/47-offset-delete.ts"

/** What the coordinator of the groups answers, FindCoordinator apart. */
export const groupRoutes = (coordinator: CoordinatorContext): ReadonlyArray<Route> => [
  offsetCommit(coordinator),
  offsetFetch(coordinator),
  joinGroup(coordinator),
  heartbeat(coordinator),
  leaveGroup(coordinator),
  syncGroup(coordinator),
  describeGroups(coordinator),
  listGroups(coordinator),
  deleteGroups(coordinator),
  offsetDelete(coordinator)
]

/** The keys of the APIs of `groupRoutes`. */
export const groupApiKeys: ReadonlySet<number> = new Set(
  [OffsetCommit, OffsetFetch, JoinGroup, Heartbeat, LeaveGroup, SyncGroup, DescribeGroups, ListGroups, DeleteGroups, OffsetDelete].map(({ key }) => key)
)
