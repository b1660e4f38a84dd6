import type { Assignor, Subscription } from "./assignor.ts"
import { assignGeneral } from "./sticky-general.ts"
import { type Memory, named, noGeneration, type StickyInput, stickyInput } from "./sticky-input.ts"
import { assignUniform } from "./sticky-uniform.ts"

/**
 * The owned partitions are in the member's subscription; the generation is there too (version 2), or in its user data
 * as a lone int32 (clients before Kafka 3.2).
 */
const memory = ({ ownedPartitions, generation, userData }: Subscription): Memory => {
  if (generation !== null) return { owned: ownedPartitions, generation }
  if (userData === null) return { owned: ownedPartitions, generation: null }
  const said = userData.length < 4 ? noGeneration : new DataView(userData.buffer, userData.byteOffset, userData.byteLength).getInt32(0)
  return { owned: ownedPartitions, generation: said }
}

const noMemory: Memory = { owned: [], generation: null }

/** Partitions that one member owns and another is to get. */
const changingHands = (input: StickyInput, assigned: ReadonlyArray<ReadonlyArray<number>>, held: ReadonlyArray<ReadonlySet<number>>): ReadonlySet<number> => {
  const added = new Set<number>()
  const revoked = new Set<number>()
  input.members.forEach((_, member) => {
    const own = new Set(assigned[member])
    for (const ordinal of own) if (held[member]?.has(ordinal) !== true) added.add(ordinal)
    for (const ordinal of held[member] ?? []) if (!own.has(ordinal)) revoked.add(ordinal)
  })
  return new Set(Array.from(added).filter((ordinal) => revoked.has(ordinal)))
}

/**
 * The sticky assignment, in two rebalances (KIP-429): members keep working on the partitions that they keep. A
 * partition that moves is assigned to no member until its owner has rejoined without it (G2).
 */
export const cooperativeSticky: Assignor = {
  name: "cooperative-sticky",
  assign: (subscriptions, partitions) => {
    const input = stickyInput(subscriptions, partitions, (member) => {
      const subscription = subscriptions.get(member)
      return subscription === undefined ? noMemory : memory(subscription)
    })
    // A disputed partition has no owner in the input, but each claimant works on it: so the claims decide which
    // partitions are withheld.
    const held = holders(input, subscriptions, partitions)
    const assigned = input.uniform ? assignUniform(input) : assignGeneral(input)
    const moving = changingHands(input, assigned, held)
    return named(
      input,
      assigned.map((own) => own.filter((ordinal) => !moving.has(ordinal)))
    )
  }
}

const holders = (input: StickyInput, subscriptions: Parameters<Assignor["assign"]>[0], partitions: Parameters<Assignor["assign"]>[1]) => {
  const topicIndex = new Map(input.topics.map((topic, i) => [topic, i]))
  return input.members.map((member) => {
    const held = new Set<number>()
    for (const { topic, partitions: owned } of subscriptions.get(member)?.ownedPartitions ?? []) {
      const start = input.starts[topicIndex.get(topic) ?? -1]
      for (const partition of owned) if (start !== undefined && partition >= 0 && partition < (partitions.get(topic) ?? 0)) held.add(start + partition)
    }
    return held
  })
}
