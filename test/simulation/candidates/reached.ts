/**
 * States that a long run has to reach: a run that never gets there shows nothing about them. The number is how many
 * simulated hours may pass without one.
 */
const rareStates = {
  "a candidate won over a leader whose lease had ended": 1,
  "a candidate won after its leader had resigned": 1,
  "a candidate won over a leader that had ended, within its lease": 1,
  "the leader was killed": 1,
  "the leader was stopped past its lease": 1,
  "a leader that was stopped was asked behind its lease": 1,
  "etcd refused an append of a former leader": 1,
  "an append arrived that had been settled": 1,
  "an unknown append was settled as not done": 1,
  "a command was answered after an unknown result": 1,
  "the store was full": 1,
  "etcd had no majority for longer than the lease": 1,
  "writes without a majority were kept until there was one": 1,
  "a member of etcd restarted": 1,
  "watches ended by compaction": 1,
  "watches were silent": 1,
  "etcd ended all leases": 1,
  "a stream of groups was trimmed": 1,
  "a standby was behind the head": 1
} as const
type CandidateState = keyof typeof rareStates

/** How often each rare state was reached. */
export class Reached {
  private readonly counts = new Map<CandidateState, number>()

  hit(state: CandidateState): void {
    this.counts.set(state, this.of(state) + 1)
  }
  add(other: Reached): void {
    for (const [state, count] of other.counts) this.counts.set(state, this.of(state) + count)
  }
  of(state: CandidateState): number {
    return this.counts.get(state) ?? 0
  }
  get all(): ReadonlyArray<readonly [CandidateState, number]> {
    return (Object.keys(rareStates) as ReadonlyArray<CandidateState>).map((state) => [state, this.of(state)] as const)
  }
  /** Those that a run of so many hours should have reached, and did not. */
  missing(hours: number): ReadonlyArray<CandidateState> {
    return this.all.filter(([state, count]) => count === 0 && hours >= rareStates[state]).map(([state]) => state)
  }
}
