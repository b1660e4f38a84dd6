import { Either } from "effect"
import { type ByTag, type Decider, entryOf, fold } from "../kernel/decider.ts"
import type { Rejection } from "../kernel/error-code.ts"
import { mayGrow, noLoad, withinCapacity } from "./capacity.ts"
import { classicDecisions } from "./classic/decide.ts"
import type { Command } from "./command.ts"
import { deleteGroup } from "./delete.ts"
import type { Event } from "./event.ts"
import { evolve } from "./evolve.ts"
import { defaults, type Limits } from "./limits.ts"
import { offsetDecisions } from "./offset/commit.ts"
import type { Decision } from "./plan.ts"
import { type Group, initial } from "./state.ts"

const decisions: ByTag<Group, Command, Decision, [limits: Limits]> = {
  ...classicDecisions,
  ...offsetDecisions,
  DeleteGroup: deleteGroup
}

/** Returns what happens in the group because of `command`, or why nothing does, without regard to sizes. */
export const decideUnbounded = (limits: Limits, group: Group, command: Command): Decision => entryOf(decisions, command)(group, command, limits)

/**
 * Returns what happens in the group because of `command`, or why nothing does. Where several groups share the capacity
 * of a node, `groupsDecider` decides.
 */
export const decide =
  (limits: Limits) =>
  (group: Group, command: Command): Decision => {
    const decision = decideUnbounded(limits, group, command)
    if (!mayGrow(command) || Either.isLeft(decision)) return decision
    return withinCapacity(limits, noLoad, group, command, decision, fold(evolve, group, decision.right))
  }

/** The aggregate of one group. */
export const decider = (limits: Limits = defaults): Decider<Group, Command, Event, Rejection> => ({ initial, decide: decide(limits), evolve })
