import { HashMap } from "effect"
import type { BrokerId } from "../../kernel/id.ts"
import type { Cluster } from "../state.ts"

const idMax = 2_147_483_647

/**
 * Returns an id for a new broker: one more than the highest that a node, a replica or a setting of the cluster has, or
 * that is in `reserved`. Ids of brokers that are gone are not given again: their data may return. Where the highest id
 * is in use, the lowest that is free.
 */
export const spareId = ({ brokers, leader, load, nodeConfigs }: Cluster, reserved: Iterable<number> = []): BrokerId => {
  const taken = new Set<number>([...HashMap.keys(brokers), ...HashMap.keys(load), ...reserved, leader?.nodeId ?? -1])
  for (const id of HashMap.keys(nodeConfigs)) if (id !== null) taken.add(id)
  const highest = [...taken].reduce((most, id) => Math.max(most, id), -1)
  if (highest < idMax) return (highest + 1) as BrokerId
  let id = 0
  while (taken.has(id)) id++
  return id as BrokerId
}
