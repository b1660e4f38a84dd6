/**
 * States that a long run has to reach: a run that never gets there shows nothing about them. The number is how many
 * simulated hours may pass without one (measured: none took longer than a third of it).
 */
const rareStates = {
  "a member of the ELR was elected": 2,
  "a leader was elected uncleanly": 8,
  "the last copy was lost": 8,
  "a follower cut records that the leader lacks": 2,
  "a follower cut twice before it was aligned": 40,
  "a deposed leader appended a record": 2,
  "a deposed leader appended, and its records were cut": 2,
  "acks=all was refused below min ISR": 2,
  "a retry was recognized as a duplicate": 2,
  "a duplicate waited for the high watermark": 2,
  "the last replica stood alone in sync": 2,
  "a missing log was disowned": 2,
  "a log was missing because its broker had never made it": 4,
  "a damaged log was disowned": 4,
  "a power cut took records that were not synced": 2,
  "a power cut took records that a lying disk had called synced": 4,
  "a reassignment completed": 2,
  "a reassignment was cancelled after records were copied": 4,
  "a reassignment replaced another one": 4,
  "the leader changed during a reassignment": 2,
  "a replica was moved away from its leader": 2,
  "a fenced broker was replaced": 4,
  "a live broker was fenced": 2,
  "a broker shut down and gave its leaderships away": 2,
  "a preferred leader was elected": 2,
  "min ISR rose while replicas were out of sync": 4,
  "min ISR fell and emptied an ELR": 4,
  "AlterPartition: INELIGIBLE_REPLICA": 4,
  "AlterPartition: INVALID_UPDATE_VERSION": 4,
  "AlterPartition: FENCED_LEADER_EPOCH": 4,
  "AlterPartition was sent again": 2,
  "a fetch of an old leader epoch was refused": 2,
  "a fetch of an unknown leader epoch was refused": 2,
  "a fetch of an old broker epoch was refused": 8,
  "a late response to a fetch was ignored": 2,
  "a partition had no leader": 2,
  "a topic was removed while a replica was down": 4
} as const
export type RareState = keyof typeof rareStates

/** How often each rare state was reached. */
export class Sometimes {
  private readonly counts = new Map<string, number>()

  hit(state: RareState): void {
    this.counts.set(state, (this.counts.get(state) ?? 0) + 1)
  }
  add(other: Sometimes): void {
    for (const [state, count] of other.counts) this.counts.set(state, (this.counts.get(state) ?? 0) + count)
  }
  of(state: RareState): number {
    return this.counts.get(state) ?? 0
  }
  get all(): ReadonlyArray<readonly [RareState, number]> {
    return (Object.keys(rareStates) as ReadonlyArray<RareState>).map((state) => [state, this.of(state)] as const)
  }
  /** Those that a run of so many hours should have reached, and did not. */
  missing(hours: number): ReadonlyArray<RareState> {
    return this.all.filter(([state, count]) => count === 0 && hours >= rareStates[state]).map(([state]) => state)
  }
}
