const brokers = (ids: ReadonlyArray<number>): string => `${ids.length === 1 ? "broker" : "brokers"} ${ids.join(", ")}`
const replicasOn = (ids: ReadonlyArray<number>): string => `${ids.length === 1 ? "the replica" : "the replicas"} on ${brokers(ids)}`

/** Returns what a reassignment does to a partition with the replicas `before`, as the end of a sentence about it. */
export const moveText = (before: ReadonlyArray<number>, after: ReadonlyArray<number>): string => {
  const added = after.filter((id) => !before.includes(id))
  const removed = before.filter((id) => !after.includes(id))
  if (added.length > 0 && removed.length > 0) return `moves to ${brokers(after)}`
  if (added.length > 0) return `gets ${added.length === 1 ? "a replica" : "replicas"} on ${brokers(added)}, beside ${brokers(before)}`
  if (removed.length > 0) return `stays on ${brokers(after)}; ${replicasOn(removed)} ${removed.length === 1 ? "is" : "are"} removed`
  return after[0] === before[0] ? `stays on ${brokers(after)}` : `stays on ${brokers(after)}; broker ${after[0]} is the preferred leader`
}
