import { Either } from "effect"
import { type Decider, fold } from "../kernel/decider.ts"
import type { Rejection } from "../kernel/error-code.ts"
import { mayGrow, noLoad, withinBounds } from "./capacity.ts"
import { join } from "./classic/join.ts"
import { leave } from "./classic/leave.ts"
import { completeJoin, expireSync } from "./classic/rebalance.ts"
import { expireMember, heartbeat } from "./classic/session.ts"
import { sync } from "./classic/sync.ts"
import { Command } from "./command.ts"
import type { Event } from "./event.ts"
import { evolve } from "./evolve.ts"
import { defaults, type Limits } from "./limits.ts"
import { commitOffsets, deleteGroup, deleteOffsets, expireOffsets, removeTopic } from "./offset/commit.ts"
import { type Decision, Plan } from "./plan.ts"
import { type Group, initial } from "./state.ts"

/** What happens in the group because of `command`, or why nothing does, whatever its size. */
export const unbounded =
  (limits: Limits) =>
  (group: Group, command: Command): Decision =>
    Command.$match(command, {
      Join: (c) => join(limits, group, c),
      Sync: (c) => sync(group, c),
      Heartbeat: (c) => heartbeat(group, c),
      Leave: (c) => leave(limits, group, c),
      ExpireMember: (c) => expireMember(limits, group, c),
      CompleteJoin: ({ groupId, at }) => {
        const plan = new Plan(group)
        completeJoin(limits, plan, { groupId, at })
        return plan.decision
      },
      ExpireSync: ({ groupId, at, generation }) => {
        const plan = new Plan(group)
        expireSync(limits, plan, { groupId, at }, generation)
        return plan.decision
      },
      CommitOffsets: (c) => commitOffsets(limits, group, c),
      DeleteOffsets: (c) => deleteOffsets(group, c),
      RemoveTopic: (c) => removeTopic(group, c),
      ExpireOffsets: (c) => expireOffsets(limits, group, c),
      DeleteGroup: (c) => deleteGroup(group, c)
    })

/** What happens in the group because of `command`, or why nothing does. Where several groups share the room for them, `groupsDecider` decides. */
export const decide = (limits: Limits): ((group: Group, command: Command) => Decision) => {
  const decideOne = unbounded(limits)
  return (group, command) => {
    const decision = decideOne(group, command)
    if (!mayGrow(command) || Either.isLeft(decision)) return decision
    return withinBounds(limits, noLoad, group, command, decision, fold(evolve, group, decision.right))
  }
}

/** The aggregate of one classic group. */
export const decider = (limits: Limits = defaults): Decider<Group, Command, Event, Rejection> => ({ initial, decide: decide(limits), evolve })
