/** A broker that can have replicas. */
interface TargetBroker {
  readonly id: number
  readonly rack: string | null
  /** Partitions that have a replica on it. */
  partitions: number
}

/**
 * Returns the replicas of a partition that is to have `count` of them: those that it has come first and stay as long as
 * there is room; brokers of racks that have none of them, with the fewest partitions, are added. `brokers` counts them.
 * Undefined where too few brokers run.
 */
export const replicasFor = (replicas: ReadonlyArray<number>, count: number, brokers: ReadonlyArray<TargetBroker>): ReadonlyArray<number> | undefined => {
  const target = replicas.slice(0, count)
  while (target.length < count) {
    const racks = brokers.filter(({ id }) => target.includes(id)).map(({ rack }) => rack)
    const shared = ({ rack }: TargetBroker): number => (rack === null ? 0 : racks.filter((one) => one === rack).length)
    const [next] = brokers
      .filter(({ id }) => !target.includes(id))
      .toSorted((one, other) => shared(one) - shared(other) || one.partitions - other.partitions || one.id - other.id)
    if (next === undefined) return undefined
    next.partitions++
    target.push(next.id)
  }
  return target
}
