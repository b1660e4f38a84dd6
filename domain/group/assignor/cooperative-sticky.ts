import type { Assignor, Subscription } from "./assignor.ts"
import { assignGeneral } from "./sticky-general.ts"
import { type Memory, named, noGeneration, type StickyInput, stickyInput } from "./sticky-input.ts"
import { assignUniform } from "./sticky-uniform.ts"

/**
 * What the member holds stands in its subscription; the generation there (version 2), or in its own bytes as a lone
 * int32 (clients before Kafka 3.2).
 */
const memory = ({ ownedPartitions, generation, userData }: Subscription): Memory => {
  if (generation !== null) return { owned: ownedPartitions, generation }
  if (userData === null) return { owned: ownedPartitions, generation: null }
  const said = userData.length < 4 ? noGeneration : new DataView(userData.buffer, userData.byteOffset, userData.byteLength).getInt32(0)
  return { owned: ownedPartitions, generation: said }
}

const nobody: Memory = { owned: [], generation: null }

/** Partitions that someone holds and another is to get. */
const changingHands = (input: StickyInput, assigned: ReadonlyArray<ReadonlyArray<number>>, held: ReadonlyArray<ReadonlySet<number>>): ReadonlySet<number> => {
  const added = new Set<number>()
  const revoked = new Set<number>()
  input.members.forEach((_, member) => {
    const own = new Set(assigned[member])
    for (const place of own) if (held[member]?.has(place) !== true) added.add(place)
    for (const place of held[member] ?? []) if (!own.has(place)) revoked.add(place)
  })
  return new Set(Array.from(added).filter((place) => revoked.has(place)))
}

/**
 * The sticky assignment, in two rounds (KIP-429): members keep working on what they keep, and a partition that changes
 * hands is given to nobody until its holder has joined again without it (G2).
 */
export const cooperativeSticky: Assignor = {
  name: "cooperative-sticky",
  assign: (subscriptions, partitions) => {
    const input = stickyInput(subscriptions, partitions, (member) => {
      const subscription = subscriptions.get(member)
      return subscription === undefined ? nobody : memory(subscription)
    })
    // A disputed partition counts for nobody in the input, but whoever claims it works on it: what is withheld goes by
    // the claims themselves.
    const held = holders(input, subscriptions, partitions)
    const assigned = input.uniform ? assignUniform(input) : assignGeneral(input)
    const moving = changingHands(input, assigned, held)
    return named(
      input,
      assigned.map((own) => own.filter((place) => !moving.has(place)))
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
