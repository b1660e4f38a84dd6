import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { Either, HashMap, Schema } from "effect"
import fc from "fast-check"
import { memberBytes, pendingBytes } from "../../../domain/group/classic/size.ts"
import { type Phase, sortedMembers } from "../../../domain/group/classic/state.ts"
import { Command } from "../../../domain/group/command.ts"
import { decide } from "../../../domain/group/decide.ts"
import { Event } from "../../../domain/group/event.ts"
import { evolve } from "../../../domain/group/evolve.ts"
import { groupId, type MemberId, memberId } from "../../../domain/group/id.ts"
import { defaults, type Limits } from "../../../domain/group/limits.ts"
import { offsetBytes } from "../../../domain/group/offset/size.ts"
import { fromSnapshot, Snapshot, toSnapshot } from "../../../domain/group/snapshot.ts"
import { type Group, initial } from "../../../domain/group/state.ts"
import { Bug } from "../../../domain/kernel/bug.ts"
import { protocol, topic } from "./given.ts"

// The test computes and does not wait: on a busy machine it needs more time.
setDefaultTimeout(120_000)

const limits: Limits = { ...defaults, groupSizeMax: 4, pendingMembersMax: 2, offsetsRetentionMs: 500_000, offsetMetadataMax: 3 }
const g = groupId("g")
const encode = Schema.encodeSync(Schema.parseJson(Event))
const decode = Schema.decodeSync(Schema.parseJson(Event))
const snapshot = (group: Group): string => JSON.stringify(Schema.encodeSync(Snapshot)(toSnapshot(group)))

/**
 * The member of a command: mostly one that exists, under its own instance id; sometimes a former or an unknown one.
 */
const ids = ["", "m0", "m1", "m2", "stranger"].map(memberId)
interface Who {
  readonly memberId: MemberId
  readonly instanceId: string | null
}
const who: fc.Arbitrary<(group: Group) => Who> = fc
  .record({ index: fc.nat(20), wrong: fc.nat(7), id: fc.constantFrom(...ids), instance: fc.option(fc.constantFrom("i", "j")) })
  .map(({ index, wrong, id, instance }) => (group) => {
    const there = [...sortedMembers(group), ...Array.from(HashMap.keys(group.pending), (memberId) => ({ memberId, instanceId: null }))]
    const { memberId, instanceId } = there[index % Math.max(there.length, 1)] ?? { memberId: id, instanceId: instance }
    return { memberId: wrong === 0 ? id : memberId, instanceId: wrong === 1 ? instance : instanceId }
  })
const generation = fc.integer({ min: -1, max: 6 })
const protocols = fc.oneof(
  {
    arbitrary: fc.constantFrom(
      [protocol("range", 1)],
      [protocol("range", 2)],
      [protocol("range", 1), protocol("sticky", 1)],
      [protocol("sticky", 1), protocol("range", 1)]
    ),
    weight: 9
  },
  fc.subarray([protocol("range", 1), protocol("sticky", 1), protocol("roundrobin")])
)
const offset = fc.record({
  topic: fc.constantFrom(topic("t"), topic("u")),
  partition: fc.integer({ min: 0, max: 2 }),
  offset: fc.integer({ min: 0, max: 1000 }),
  leaderEpoch: fc.constant(-1),
  metadata: fc.string({ maxLength: 4 }),
  commitAt: fc.integer({ min: 0, max: 1_000_000 }),
  expiresAt: fc.option(fc.integer({ min: 0, max: 1_000_000 }), { freq: 4 }),
  topicId: fc.constant(null)
})

/** A command without its time; `pick` lets generations be right often enough. */
type Unit = (group: Group, at: number, fresh: MemberId) => Command
const ofGroup = (group: Group, wrong: number, chance: number): number => (chance === 0 ? wrong : group.generation)
const join: fc.Arbitrary<Unit> = fc
  .record({
    who,
    isNew: fc.integer({ min: 0, max: 2 }),
    instance: fc.option(fc.constantFrom("i", "j"), { freq: 2 }),
    memberIdRequired: fc.boolean(),
    protocols,
    sessionTimeoutMs: fc.constantFrom(6_000, 10_000, 10_000, 10_000, 1),
    rebalanceTimeoutMs: fc.constantFrom(5_000, 60_000)
  })
  .map(({ who, isNew, instance, ...more }) => (group, at, newMemberId) => {
    const asked = isNew === 0 ? { memberId: memberId(""), instanceId: instance } : who(group)
    return Command.Join({ groupId: g, at, newMemberId, clientId: "c", clientHost: "h", protocolType: "consumer", reason: "", ...asked, ...more })
  })
const sync: fc.Arbitrary<Unit> = fc
  .record({ who, wrong: generation, chance: fc.nat(7), leads: fc.boolean() })
  .map(({ who, wrong, chance, leads }) => (group, at) => {
    const asked = who(group)
    const leader = leads && group.leader !== null ? sortedMembers(group).find(({ memberId }) => memberId === group.leader) : undefined
    return Command.Sync({
      groupId: g,
      at,
      memberId: leader?.memberId ?? asked.memberId,
      instanceId: leader?.instanceId ?? asked.instanceId,
      generation: ofGroup(group, wrong, chance),
      protocolType: null,
      protocolName: null,
      assignments: sortedMembers(group).map(({ memberId }, i) => ({
        memberId,
        assignment: Uint8Array.of(i)
      }))
    })
  })
const commit: fc.Arbitrary<Unit> = fc
  .record({ who, outside: fc.nat(3), wrong: generation, chance: fc.nat(3), offsets: fc.array(offset, { maxLength: 3 }) })
  .map(({ who, outside, wrong, chance, offsets }) => (group, at) => {
    const asked = outside === 0 ? { memberId: memberId(""), instanceId: null, generation: -1 } : { ...who(group), generation: ofGroup(group, wrong, chance) }
    return Command.CommitOffsets({ groupId: g, at, ...asked, offsets })
  })
const leave: fc.Arbitrary<Unit> = fc
  .array(who, { maxLength: 3 })
  .map((leavers) => (group, at) => Command.Leave({ groupId: g, at, members: leavers.map((each) => each(group)) }))
const timers: fc.Arbitrary<Unit> = fc.oneof(
  { arbitrary: fc.constant<Unit>((_, at) => Command.CompleteJoin({ groupId: g, at })), weight: 6 },
  { arbitrary: fc.constant<Unit>((group, at) => Command.ExpireSync({ groupId: g, at, generation: group.generation })), weight: 2 },
  fc.record({ who, silent: fc.constantFrom(0, 20_000, 400_000) }).map(({ who, silent }): Unit => {
    return (group, at) => Command.ExpireMember({ groupId: g, at, memberId: who(group).memberId, heardAt: at - silent })
  }),
  fc.constant<Unit>((_, at) => Command.ExpireOffsets({ groupId: g, at })),
  fc.constantFrom(topic("t"), topic("u")).map(
    (name): Unit =>
      (_, at) =>
        Command.RemoveTopic({ groupId: g, at, topic: name })
  ),
  fc.constant<Unit>((_, at) => Command.DeleteOffsets({ groupId: g, at, partitions: [{ topic: topic("t"), partitions: [0, 1] }] })),
  fc.constant<Unit>((_, at) => Command.DeleteGroup({ groupId: g, at }))
)
const beat: fc.Arbitrary<Unit> = fc.record({ who, wrong: generation, chance: fc.nat(3) }).map(
  ({ who, wrong, chance }) =>
    (group) =>
      Command.Heartbeat({ groupId: g, ...who(group), generation: ofGroup(group, wrong, chance) })
)
const step = fc.record({
  unit: fc.oneof(
    { arbitrary: join, weight: 8 },
    { arbitrary: sync, weight: 6 },
    { arbitrary: commit, weight: 3 },
    leave,
    { arbitrary: timers, weight: 4 },
    beat
  ),
  wait: fc.oneof({ arbitrary: fc.integer({ min: 0, max: 2_000 }), weight: 3 }, fc.integer({ min: 0, max: 100_000 }))
})
const steps = fc.array(step, { maxLength: 60, size: "max" })

/** Kafka's ClassicGroupState: which phases each may follow. */
const before: Readonly<Record<Phase, ReadonlyArray<Phase>>> = {
  Dead: ["Dead", "Empty"],
  Empty: ["Empty", "Dead", "PreparingRebalance"],
  PreparingRebalance: ["PreparingRebalance", "Stable", "CompletingRebalance", "Empty"],
  CompletingRebalance: ["CompletingRebalance", "PreparingRebalance"],
  Stable: ["Stable", "CompletingRebalance"]
}

const check = (group: Group): void => {
  const members = Array.from(HashMap.values(group.members))
  expect(group.joinedCount).toBe(members.filter(({ joined }) => joined).length)
  expect(group.unsyncedCount).toBe(members.filter(({ synced }) => !synced).length)
  for (const { instanceId, memberId } of members) if (instanceId !== null) expect(HashMap.unsafeGet(group.instances, instanceId)).toBe(memberId)
  expect(HashMap.size(group.instances)).toBe(members.filter(({ instanceId }) => instanceId !== null).length)
  for (const { memberId } of members) expect(HashMap.has(group.pending, memberId)).toBe(false)
  if (group.phase === "Empty" || group.phase === "Dead") expect(members.length).toBe(0)
  if (group.phase === "CompletingRebalance" || group.phase === "Stable") {
    expect(members.some(({ memberId }) => memberId === group.leader)).toBe(true)
    // Every member supports the assignor that was elected.
    for (const { protocols } of members) expect(protocols.map(({ name }) => name)).toContain(group.protocolName ?? "")
  }
  expect(group.memberBytes).toBe(
    members.reduce((sum, member) => sum + memberBytes(member), 0) + [...HashMap.keys(group.pending)].reduce((sum, id) => sum + pendingBytes(id), 0)
  )
  const offsets = Array.from(HashMap.values(group.offsets), (held) => [...HashMap.values(held)]).flat()
  expect(group.offsetBytes).toBe(offsets.reduce((sum, offset) => sum + offsetBytes(offset), 0))
  // Every open request gets a response.
  if (group.phase === "PreparingRebalance" || group.phase === "CompletingRebalance" || (group.phase === "Stable" && group.unsyncedCount > 0))
    expect(group.wait).not.toBeNull()
  else expect(group.wait).toBeNull()
}

/** G3, for an accepted commit. */
const checkCommit = (group: Group, { memberId, instanceId, generation }: { memberId: MemberId; instanceId: string | null; generation: number }): void => {
  if (generation < 0) {
    expect(["Empty", "Dead"]).toContain(group.phase)
    return
  }
  expect(generation).toBe(group.generation)
  expect(HashMap.has(group.members, memberId)).toBe(true)
  if (instanceId !== null) expect(HashMap.unsafeGet(group.instances, instanceId)).toBe(memberId)
  expect(["Stable", "PreparingRebalance"]).toContain(group.phase)
}

describe("a classic group under any commands", () => {
  test("G3, G4, M2, M3: total, deterministic, legal phases, and the same after a replay or from a snapshot", () => {
    fc.assert(
      fc.property(steps, (taken) => {
        let group = initial
        let replayed = initial
        let at = 1_000
        const offsets = new Map<string, number>()
        for (const [i, { unit, wait }] of taken.entries()) {
          at += wait
          const command = unit(group, at, memberId(`m${i}`))
          const decision = decide(limits)(group, command)
          expect(decide(limits)(group, command)).toEqual(decision)
          if (Either.isLeft(decision)) continue
          if (command._tag === "Heartbeat") expect(decision.right).toEqual([])
          if (command._tag === "CommitOffsets" && decision.right.length > 0) checkCommit(group, command)
          for (const event of decision.right) {
            const next = evolve(group, event)
            expect(before[next.phase]).toContain(group.phase)
            if (next.phase !== "Dead") expect(next.generation).toBeGreaterThanOrEqual(group.phase === "Dead" ? 0 : group.generation)
            if (event._tag === "OffsetsCommitted") for (const each of event.offsets) offsets.set(`${each.topic}-${each.partition}`, each.offset)
            if (event._tag === "OffsetsRemoved")
              for (const { topic, partitions } of event.removed) for (const partition of partitions) offsets.delete(`${topic}-${partition}`)
            if (event._tag === "GroupDeleted") offsets.clear()
            group = next
            replayed = evolve(replayed, decode(encode(event)))
          }
          check(group)
        }
        // G4: OffsetFetch returns the last accepted commit.
        const held = new Map(toSnapshot(group).offsets.map(({ topic, partition, offset }): [string, number] => [`${topic}-${partition}`, offset]))
        expect(held).toEqual(offsets)
        expect(snapshot(replayed)).toBe(snapshot(group))
        const restored = fromSnapshot(Schema.decodeSync(Snapshot)(JSON.parse(snapshot(group))))
        expect(snapshot(restored)).toBe(snapshot(group))
        check(restored)
        expect(new Map(restored.supported)).toEqual(new Map(group.supported))
      }),
      { numRuns: 800 }
    )
  })

  test("M3: evolve takes any events in any order; a generation that does not rise is a bug that stops the node", () => {
    const events = steps.map((taken) => {
      let group = initial
      const all: Array<Event> = []
      taken.forEach(({ unit, wait }, i) => {
        const decision = decide(limits)(group, unit(group, 1_000 + wait, memberId(`m${i}`)))
        for (const event of Either.getOrElse(decision, () => [])) {
          group = evolve(group, event)
          all.push(event)
        }
      })
      return all
    })
    fc.assert(
      fc.property(
        events.chain((all) => fc.shuffledSubarray(all)),
        (all) => {
          let group = initial
          for (const event of all) {
            const rises = (event._tag !== "GenerationStarted" && event._tag !== "GroupEmptied") || event.generation > group.generation
            if (rises) group = evolve(group, event)
            else expect(() => evolve(group, event)).toThrow(Bug)
          }
          const restored = fromSnapshot(toSnapshot(group))
          expect([snapshot(restored), restored.memberBytes, restored.offsetBytes]).toEqual([snapshot(group), group.memberBytes, group.offsetBytes])
        }
      ),
      { numRuns: 300 }
    )
  })
})
