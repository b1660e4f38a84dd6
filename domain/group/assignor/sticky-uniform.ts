import { partitionCount, type StickyInput } from "./sticky-input.ts"

/** How many partitions members may have: each at least `min`, and `over` of them one more. */
interface Quota {
  readonly min: number
  readonly max: number
  readonly over: number
}

interface Kept {
  readonly assigned: ReadonlyArray<Array<number>>
  /** Members with less than the least. */
  readonly under: ReadonlyArray<number>
  /** Members with just the least that may get one more. */
  readonly atMin: ReadonlyArray<number>
}

/** Every member keeps what it owned, up to its share. */
const keep = (input: StickyInput, quota: Quota): Kept => {
  const { starts, topicOf } = input
  const partitionIn = (ordinal: number): number => ordinal - (starts[topicOf[ordinal] ?? 0] ?? 0)
  const under: Array<number> = []
  let atMin: Array<number> = []
  let over = 0
  const assigned = input.owned.map((held, member) => {
    const mine = Array.from(held)
      .filter((ordinal) => !input.disputed.has(ordinal))
      .sort((a, b) => partitionIn(a) - partitionIn(b) || a - b)
    if (mine.length < quota.min) {
      under.push(member)
      return mine
    }
    const keepsOneMore = mine.length >= quota.max && over < quota.over
    if (keepsOneMore) {
      over++
      if (over === quota.over) atMin = []
    } else if (over < quota.over) atMin.push(member)
    return mine.slice(0, keepsOneMore ? quota.max : quota.min)
  })
  return { assigned, under, atMin }
}

/**
 * Deals the free partitions out: round and round to those under their share, then one more to each that may have it.
 */
const deal = (free: ReadonlyArray<number>, { assigned, under, atMin }: Kept, quota: Quota): void => {
  const queue = [...atMin]
  let next = 0
  const give = (member: number): boolean => {
    const ordinal = free[next]
    if (ordinal === undefined) return false
    next++
    assigned[member]?.push(ordinal)
    return true
  }
  let poor = under
  while (poor.length > 0 && next < free.length) {
    const still: Array<number> = []
    for (const member of poor) {
      if (give(member) && (assigned[member]?.length ?? 0) >= quota.min) queue.push(member)
      else still.push(member)
    }
    poor = still
  }
  for (const member of queue) if (!give(member)) break
}

/**
 * All members subscribe to the same topics: each gets its share to within one partition, and keeps as much as it had
 * (KIP-54, with the faster algorithm of KIP-429). Linear in the partitions, but for sorting.
 */
export const assignUniform = (input: StickyInput): ReadonlyArray<ReadonlyArray<number>> => {
  const total = partitionCount(input)
  const size = input.members.length
  if (size === 0) return []
  const quota = { min: Math.floor(total / size), max: Math.ceil(total / size), over: total % size }
  const kept = keep(input, quota)
  const taken = new Uint8Array(total)
  for (const own of kept.assigned) for (const ordinal of own) taken[ordinal] = 1
  const free: Array<number> = []
  for (let ordinal = 0; ordinal < total; ordinal++) if (taken[ordinal] === 0) free.push(ordinal)
  deal(free, kept, quota)
  return kept.assigned
}
