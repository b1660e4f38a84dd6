import type { Event } from "../../domain/group/event.ts"
import type { Groups } from "../../domain/group/groups.ts"
import { counterSample, gaugeSample, type MetricSample } from "../ports/metrics.ts"
import type { GroupFollower, GroupsChange } from "./follower.ts"

type Count = "commits" | "rebalances" | "generations"

/** What an event is counted as. */
const counts: { readonly [Tag in Event["_tag"]]: Count | undefined } = {
  GroupCreated: undefined,
  MemberReserved: undefined,
  MemberJoined: undefined,
  MemberRejoined: undefined,
  MemberReplaced: undefined,
  MemberRemoved: undefined,
  RebalanceStarted: "rebalances",
  RebalanceExtended: undefined,
  GenerationStarted: "generations",
  GroupEmptied: undefined,
  MemberSynced: undefined,
  AssignmentsSet: undefined,
  OffsetsCommitted: "commits",
  OffsetsRemoved: undefined,
  GroupDeleted: undefined
}

/** The metrics of the groups that a node coordinates. The counts begin with the coordinator. */
export class GroupMetrics implements GroupFollower {
  private rebalances = 0
  private generations = 0
  private commits = 0

  /** Counts durable events. */
  follow({ events }: GroupsChange): void {
    for (const { _tag } of events) {
      const count = counts[_tag]
      if (count !== undefined) this[count]++
    }
  }

  /** For 100,000 groups the samples take some 5 ms. */
  *samples(streams: ReadonlyArray<Groups>): Generator<MetricSample> {
    const states = new Map<string, number>()
    let bytes = 0
    for (const groups of streams) {
      bytes += groups.load.bytes
      for (const { phase } of groups.values()) states.set(phase, (states.get(phase) ?? 0) + 1)
    }
    for (const [state, count] of states)
      yield gaugeSample("franz_groups", "Groups that the leader coordinates, by Kafka's name of the state.", count, { state })
    yield gaugeSample("franz_group_state_bytes", "Memory of the groups' state as franz.groups.max.bytes counts it.", bytes)
    yield counterSample("franz_group_rebalances_total", "Rebalances that began.", this.rebalances)
    yield counterSample("franz_group_generations_total", "Generations that began: rebalances in which the members joined again.", this.generations)
    yield counterSample("franz_group_offset_commits_total", "Commits of offsets that were journalled.", this.commits)
  }
}
