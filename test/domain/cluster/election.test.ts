import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { type BrokerLife, change, effectiveMinIsr, type WantedPartition } from "../../../domain/cluster/election.ts"
import type { Partition } from "../../../domain/cluster/state.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"

const ids = (...all: ReadonlyArray<number>) => all as ReadonlyArray<BrokerId>
const partition = (more: Partial<Partition> = {}): Partition => ({
  replicas: ids(1, 2, 3),
  isr: ids(1, 2, 3),
  elr: [],
  adding: [],
  removing: [],
  leader: 1 as BrokerId,
  leaderEpoch: 5,
  partitionEpoch: 9,
  ...more
})
/** All brokers are unfenced but these. */
const lives =
  (fenced: ReadonlyArray<number>, leaving: ReadonlyArray<number> = []) =>
  (id: BrokerId): BrokerLife =>
    fenced.includes(id) ? "fenced" : leaving.includes(id) ? "leaving" : "unfenced"

describe("change", () => {
  test("nothing wanted: the same partition, and no epoch rises", () => {
    const before = partition()
    expect(change(before, {}, lives([]), 2)).toBe(before)
    expect(change(before, { isr: ids(1, 2, 3) }, lives([]), 2)).toBe(before)
  })
  test("KAFKA-15021: a set that shrinks or grows raises the partition epoch alone", () => {
    expect(change(partition(), { isr: ids(1, 2) }, lives([]), 2)).toMatchObject({ leader: 1, leaderEpoch: 5, partitionEpoch: 10, isr: [1, 2], elr: [] })
    expect(change(partition({ isr: ids(1, 2) }), { isr: ids(1, 2, 3) }, lives([]), 2)).toMatchObject({ leaderEpoch: 5, partitionEpoch: 10 })
  })
  test("the leader is fenced: the next in-sync replica in the order of the replicas leads, under the next epoch", () => {
    const after = change(partition({ isr: ids(3, 2, 1) }), { isr: ids(3, 2) }, lives([1]), 2)
    expect(after).toMatchObject({ leader: 2, leaderEpoch: 6, partitionEpoch: 10, isr: [3, 2], elr: [] })
  })
  test("KIP-966: who leaves a set below min ISR is eligible; the last member too; the first of them leads again, alone in the set", () => {
    const one = change(partition({ isr: ids(1, 2) }), { isr: ids(2) }, lives([1, 3]), 2)
    expect(one).toMatchObject({ leader: 2, isr: [2], elr: [1] })
    const none = change(one, { isr: [] }, lives([1, 2, 3]), 2)
    expect(none).toMatchObject({ leader: -1, leaderEpoch: 7, isr: [], elr: [1, 2] })
    const again = change(none, {}, lives([2, 3]), 2)
    expect(again).toMatchObject({ leader: 1, leaderEpoch: 8, isr: [1], elr: [2] })
    expect(change(again, { isr: ids(1, 3) }, lives([2]), 2)).toMatchObject({ isr: [1, 3], elr: [] })
  })
  test("KIP-966: while one member of the set is there, a member of the ELR does not lead", () => {
    const before = partition({ leader: -1, isr: ids(2), elr: ids(1, 3) })
    expect(change(before, {}, lives([2]), 2)).toBe(before)
  })
  test("min ISR over the number of replicas counts as that number", () => {
    const before = partition({ replicas: ids(1, 2), isr: ids(1, 2) })
    expect(change(before, { isr: ids(1) }, lives([]), 5)).toMatchObject({ isr: [1], elr: [2] })
  })
  test("a replica that disowns its log is in neither set", () => {
    expect(change(partition({ isr: ids(1, 2) }), { disowned: 1 as BrokerId }, lives([]), 2)).toMatchObject({ leader: 2, isr: [2], elr: [] })
    expect(change(partition({ leader: -1, isr: [], elr: ids(1, 2) }), { disowned: 1 as BrokerId }, lives([2]), 2)).toMatchObject({ leader: -1, elr: [2] })
  })
  test("a replica that disowns its log: the leader epoch rises, so that what it fetched before does not count", () => {
    expect(change(partition(), { disowned: 3 as BrokerId }, lives([]), 2)).toMatchObject({ leader: 1, isr: [1, 2], leaderEpoch: 6, partitionEpoch: 10 })
    // It is about to join by that fetch.
    expect(change(partition({ isr: ids(1, 2) }), { disowned: 3 as BrokerId }, lives([]), 2)).toMatchObject({ leader: 1, isr: [1, 2], leaderEpoch: 6 })
    const before = partition()
    expect(change(before, { disowned: 4 as BrokerId }, lives([]), 2)).toBe(before)
  })
  test("R8: an election is unclean only where it is asked for, and no other replica can lead", () => {
    const before = partition({ leader: -1, isr: [], elr: ids(1) })
    expect(change(before, {}, lives([1]), 2)).toBe(before)
    expect(change(before, {}, lives([1]), 2, "unclean")).toMatchObject({ leader: 2, isr: [2], elr: [], leaderEpoch: 6 })
    expect(change(before, {}, lives([]), 2, "unclean")).toMatchObject({ leader: 1, isr: [1] })
  })
  test("KAFKA-14296: a broker that shuts down leads no longer than until another can", () => {
    expect(change(partition(), { isr: ids(2, 3) }, lives([], [1]), 2)).toMatchObject({ leader: 2 })
    const alone = partition({ isr: ids(1) })
    expect(change(alone, {}, lives([2, 3], [1]), 1)).toBe(alone)
    expect(change(partition({ leader: -1, isr: ids(1) }), {}, lives([2, 3], [1]), 1).leader).toBe(-1)
  })
  test("preferred: the first replica leads if it is in sync; otherwise the leader stays", () => {
    const before = partition({ leader: 2 as BrokerId })
    expect(change(before, {}, lives([]), 2)).toBe(before)
    expect(change(before, {}, lives([]), 2, "preferred")).toMatchObject({ leader: 1, leaderEpoch: 6 })
    const behind = partition({ leader: 2 as BrokerId, isr: ids(2, 3) })
    expect(change(behind, {}, lives([]), 2, "preferred")).toBe(behind)
  })
})

describe("reassignments", () => {
  const moving = partition({ replicas: ids(4, 2, 1, 3), adding: ids(4), removing: ids(1, 3) })
  test("completes when all that it adds are in sync; replicas that are taken away raise the leader epoch", () => {
    expect(change(moving, { isr: ids(1, 2, 3) }, lives([]), 2)).toBe(moving)
    expect(change(moving, { isr: ids(1, 2, 3, 4) }, lives([]), 2)).toMatchObject({
      replicas: [4, 2],
      adding: [],
      removing: [],
      isr: [2, 4],
      leader: 4,
      leaderEpoch: 6
    })
  })
  test("the leader that stays gets a new epoch too", () => {
    const stays = { ...moving, leader: 2 as BrokerId }
    expect(change(stays, { isr: ids(1, 2, 3, 4) }, lives([]), 2)).toMatchObject({ leader: 2, leaderEpoch: 6 })
  })
  test("KAFKA-14808: it does not complete into a set that is smaller than min ISR, or empty", () => {
    const all = partition({ replicas: ids(4, 5, 1, 2), adding: ids(4, 5), removing: ids(1, 2), isr: ids(1, 2) })
    expect(change(all, { isr: ids(1, 2, 4) }, lives([]), 2)).toMatchObject({ adding: [4, 5], leader: 1 })
    const away = partition({ replicas: ids(2, 1, 3), removing: ids(1, 3), isr: ids(1, 3) })
    expect(change(away, {}, lives([2]), 2)).toBe(away)
  })
  test("the only replica stays in the in-sync set while its broker is fenced", () => {
    const grown = partition({ replicas: ids(1, 2), adding: ids(2), isr: [], elr: ids(1), leader: -1 })
    expect(change(grown, { replicas: ids(1), adding: [] }, lives([1]), 2)).toMatchObject({ replicas: [1], isr: [1], elr: [], leader: -1 })
  })
})

test("property: a leader is in the set and unfenced or leaving; epochs rise as they must; the sets do not overlap; no copy that is complete is forgotten", () => {
  const some = fc.subarray([1, 2, 3, 4])
  const step = fc.record({
    isr: fc.option(some, { nil: undefined }),
    fenced: some,
    leaving: some,
    kind: fc.constantFrom("online" as const, "preferred" as const),
    minIsr: fc.integer({ min: 1, max: 4 })
  })
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), (steps) => {
      let now = partition()
      for (const { fenced, isr, kind, leaving, minIsr } of steps) {
        // As the callers do: a fenced broker leaves the set, and one that is fenced joins none.
        const kept = (isr ?? now.isr).filter((id) => !fenced.includes(id) && now.replicas.includes(id as BrokerId))
        const wanted: WantedPartition = { isr: ids(...kept) }
        const lifeOf = lives(fenced, leaving)
        const after = change(now, wanted, lifeOf, minIsr, kind)
        const enough = effectiveMinIsr(minIsr, after.replicas.length)
        if (after.leader !== -1) expect(after.isr.includes(after.leader) && lifeOf(after.leader) !== "fenced").toBe(true)
        expect(after.isr.filter((id) => after.elr.includes(id))).toEqual([])
        expect(after.elr.length === 0 || after.isr.length < enough).toBe(true)
        expect(after.leaderEpoch - now.leaderEpoch).toBe(after.leader === now.leader ? 0 : 1)
        expect(after.partitionEpoch - now.partitionEpoch).toBe(after === now ? 0 : 1)
        // Who had every committed record, and left while the set is too small, is remembered.
        if (after.isr.length < enough) for (const id of [...now.isr, ...now.elr]) expect(after.isr.includes(id) || after.elr.includes(id)).toBe(true)
        expect(change(after, {}, lifeOf, minIsr, "online").partitionEpoch - after.partitionEpoch).toBe(0)
        now = after
      }
    }),
    { numRuns: 500 }
  )
})
