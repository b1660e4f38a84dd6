import type { Event } from "../../domain/group/event.ts"
import type { Groups } from "../../domain/group/groups.ts"
import { counterSample, gaugeSample, type MetricSample } from "../ports/metrics.ts"

/** The metrics of the groups that a leader coordinates. The counts begin with the leader. */
export class GroupMetrics {
  private rebalances = 0
  private generations = 0
  private commits = 0

  /** Counts durable events. */
  follow(events: ReadonlyArray<Event>): void {
    for (const { _tag } of events) {
      if (_tag === "OffsetsCommitted") this.commits++
      else if (_tag === "RebalanceStarted") this.rebalances++
      else if (_tag === "GenerationStarted") this.generations++
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
