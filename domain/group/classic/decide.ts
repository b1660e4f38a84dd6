import type { ByTag } from "../../kernel/decider.ts"
import type { CommandOf } from "../command.ts"
import type { Limits } from "../limits.ts"
import { type Decision, Plan } from "../plan.ts"
import type { ClassicCommands } from "./command.ts"
import { join } from "./join.ts"
import { leave } from "./leave.ts"
import { completeJoin, expireSync } from "./rebalance.ts"
import { expireMember, heartbeat } from "./session.ts"
import type { ClassicGroup } from "./state.ts"
import { sync } from "./sync.ts"

/** What each command of the classic protocol comes to. */
export const classicDecisions: ByTag<ClassicGroup, CommandOf<keyof ClassicCommands>, Decision, [limits: Limits]> = {
  Join: (group, command, limits) => join(limits, group, command),
  Sync: sync,
  Heartbeat: heartbeat,
  Leave: (group, command, limits) => leave(limits, group, command),
  ExpireMember: (group, command, limits) => expireMember(limits, group, command),
  CompleteJoin: (group, context, limits) => {
    const plan = new Plan(group)
    completeJoin(limits, plan, context)
    return plan.decision
  },
  ExpireSync: (group, { groupId, at, generation }, limits) => {
    const plan = new Plan(group)
    expireSync(limits, plan, { groupId, at }, generation)
    return plan.decision
  }
}
