import type { Offsets, PartitionOffset } from "./committed.ts"

/** Returns all offsets in the order of topic and partition. */
export const listedOffsets = (offsets: Offsets): ReadonlyArray<PartitionOffset> => {
  const list: Array<PartitionOffset> = []
  for (const [topic, held] of offsets) for (const [partition, value] of held) list.push({ topic, partition, ...value })
  return list.sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1))
}
