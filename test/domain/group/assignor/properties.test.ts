import { describe, expect, setDefaultTimeout, test } from "bun:test"
import fc from "fast-check"
import type { Assignment, Assignor, Subscription } from "../../../../domain/group/assignor/assignor.ts"
import { cooperativeSticky } from "../../../../domain/group/assignor/cooperative-sticky.ts"
import { range } from "../../../../domain/group/assignor/range.ts"
import { roundRobin } from "../../../../domain/group/assignor/round-robin.ts"
import { sticky } from "../../../../domain/group/assignor/sticky.ts"
import { decodeStickyUserData, encodeStickyUserData } from "../../../../domain/group/assignor/sticky-user-data.ts"

// The test computes and does not wait: on a busy machine it needs more time.
setDefaultTimeout(300_000)

const all: ReadonlyArray<Assignor> = [range, roundRobin, sticky, cooperativeSticky]
const plain = (topics: ReadonlyArray<string>, instanceId: string | null = null): Subscription => ({
  topics,
  ownedPartitions: [],
  generation: null,
  userData: null,
  instanceId
})
const places = (assignment: Assignment, member: string): ReadonlyArray<string> =>
  (assignment.get(member) ?? []).flatMap(({ topic, partitions }) => partitions.map((partition) => `${topic}-${partition}`))
const sizes = (assignment: Assignment): ReadonlyArray<number> => Array.from(assignment.keys(), (member) => places(assignment, member).length)
const spread = (assignment: Assignment): number => Math.max(...sizes(assignment)) - Math.min(...sizes(assignment))

const topicNames = ["a", "b", "c", "d"]
const counts = fc.dictionary(fc.constantFrom(...topicNames), fc.integer({ min: 0, max: 6 })).map((each) => new Map(Object.entries(each)))
const listed = fc.array(fc.record({ topic: fc.constantFrom(...topicNames), partitions: fc.array(fc.integer({ min: -1, max: 7 }), { maxLength: 6 }) }), {
  maxLength: 3
})
const generation = fc.option(fc.integer({ min: -1, max: 3 }))
/** A member with any claims: old ones, partitions of other members, malformed bytes. */
const subscription: fc.Arbitrary<Subscription> = fc
  .record({
    topics: fc.subarray([...topicNames, "unknown"]),
    ownedPartitions: listed,
    generation,
    memory: fc.oneof(
      fc.constant(null),
      fc.uint8Array({ maxLength: 12 }),
      fc.record({ previous: listed, generation }).map((said) => encodeStickyUserData(said))
    ),
    instanceId: fc.option(fc.constantFrom("x", "y", "z", "w"), { freq: 3 })
  })
  .map(({ memory, ...rest }) => ({ ...rest, userData: memory }))
const members = fc.dictionary(fc.constantFrom("m1", "m2", "m3", "m4", "m5", "m6"), subscription, { minKeys: 1 }).map((each) => new Map(Object.entries(each)))

/**
 * G1: every existing partition with a subscriber is assigned to exactly one member, which subscribes to its topic.
 */
const checkOwnership = (
  assignor: Assignor,
  subscriptions: ReadonlyMap<string, Subscription>,
  partitions: ReadonlyMap<string, number>,
  complete: boolean
): void => {
  const assignment = assignor.assign(subscriptions, partitions)
  const given = new Set<string>()
  expect(Array.from(assignment.keys()).sort()).toEqual(Array.from(subscriptions.keys()).sort())
  for (const [member, { topics }] of subscriptions) {
    for (const { topic } of assignment.get(member) ?? []) expect(topics).toContain(topic)
    for (const place of places(assignment, member)) {
      expect(given.has(place)).toBe(false)
      given.add(place)
    }
  }
  const wanted = new Set(Array.from(subscriptions.values()).flatMap(({ topics }) => topics))
  const existing = Array.from(partitions).flatMap(([topic, count]) => (wanted.has(topic) ? Array.from({ length: count }, (_, p) => `${topic}-${p}`) : []))
  for (const place of given) expect(existing).toContain(place)
  if (complete) expect(given.size).toBe(existing.length)
}

describe("assignors", () => {
  for (const assignor of all) {
    test(`G1, ${assignor.name}: each partition with a subscriber is assigned to one member that subscribes to it`, () => {
      fc.assert(
        fc.property(members, counts, (subscriptions, partitions) => checkOwnership(assignor, subscriptions, partitions, assignor !== cooperativeSticky)),
        { numRuns: 2000 }
      )
    })
    test(`G1, ${assignor.name}: all groups of up to 4 members and 2 topics of up to 4 partitions`, () => {
      const subsets = [["a"], ["b"], ["a", "b"]]
      for (let size = 1; size <= 4; size++) {
        for (let choice = 0; choice < subsets.length ** size; choice++) {
          const group = new Map(Array.from({ length: size }, (_, i) => [`m${i}`, plain(subsets[Math.floor(choice / 3 ** i) % 3] ?? [])]))
          for (let a = 0; a <= 4; a += 2)
            for (let b = 1; b <= 4; b += 3)
              checkOwnership(
                assignor,
                group,
                new Map([
                  ["a", a],
                  ["b", b]
                ]),
                true
              )
        }
      }
    })
    test(`${assignor.name}: the order in which members are listed does not matter`, () => {
      fc.assert(
        fc.property(members, counts, (subscriptions, partitions) => {
          const turned = new Map(Array.from(subscriptions).reverse())
          // Two members with one instance id cannot be in a group.
          const ids = Array.from(subscriptions.values()).flatMap(({ instanceId }) => (instanceId === null ? [] : [instanceId]))
          fc.pre(new Set(ids).size === ids.length)
          expect(new Map(assignor.assign(turned, partitions))).toEqual(new Map(assignor.assign(subscriptions, partitions)))
        }),
        { numRuns: 300 }
      )
    })
  }

  for (const assignor of [roundRobin, sticky, cooperativeSticky]) {
    test(`G5, ${assignor.name}: with uniform subscriptions no member has two more than another`, () => {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 12 }), counts, (size, partitions) => {
          const group = new Map(Array.from({ length: size }, (_, i) => [`m${i}`, plain(topicNames)]))
          expect(spread(assignor.assign(group, partitions))).toBeLessThanOrEqual(1)
        })
      )
    })
  }

  test("G5, range: within a topic no member has two more than another, and equal topics are cut alike", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 30 }), (size, count) => {
        const group = new Map(Array.from({ length: size }, (_, i) => [`m${i}`, plain(["a", "b"])]))
        const assignment = range.assign(
          group,
          new Map([
            ["a", count],
            ["b", count]
          ])
        )
        for (const lists of assignment.values())
          expect(lists.find(({ topic }) => topic === "a")?.partitions).toEqual(lists.find(({ topic }) => topic === "b")?.partitions)
        expect(spread(assignment)).toBeLessThanOrEqual(2)
      })
    )
  })

  test("a member of a topic whose members all left, of topics without partitions, of no topic: no partitions, no error", () => {
    for (const assignor of all) {
      expect(assignor.assign(new Map(), new Map([["a", 3]]))).toEqual(new Map())
      expect(assignor.assign(new Map([["m", plain([])]]), new Map([["a", 3]]))).toEqual(new Map([["m", []]]))
      expect(assignor.assign(new Map([["m", plain(["b"])]]), new Map([["a", 3]]))).toEqual(new Map([["m", []]]))
    }
  })
})

/** The members' subscriptions in the next rebalance, after this assignment. */
const remembering = (assignment: Assignment, topicsOf: (member: string) => ReadonlyArray<string>, round: number): Map<string, Subscription> =>
  new Map(
    Array.from(assignment, ([member, owned]) => [
      member,
      {
        topics: topicsOf(member),
        ownedPartitions: owned,
        generation: round,
        userData: encodeStickyUserData({ previous: owned, generation: round }),
        instanceId: null
      }
    ])
  )

const moved = (before: Assignment, after: Assignment): number => {
  let count = 0
  for (const [member, owned] of before) {
    const kept = new Set(places(after, member))
    count += owned.flatMap(({ topic, partitions }) => partitions.filter((partition) => !kept.has(`${topic}-${partition}`))).length
  }
  return count
}

describe("stickiness", () => {
  test("G5, sticky: a joining member takes no more than its share from the others; a leaving member moves only its own partitions", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 60 }), (size, count) => {
        const partitions = new Map([
          ["a", count],
          ["b", 3]
        ])
        const total = count + 3
        const group = new Map(Array.from({ length: size }, (_, i) => [`m${i}`, plain(["a", "b"])]))
        const first = sticky.assign(group, partitions)
        const again = remembering(first, () => ["a", "b"], 1)
        expect(moved(first, sticky.assign(again, partitions))).toBe(0)
        const joined = sticky.assign(new Map([...again, ["new", plain(["a", "b"])]]), partitions)
        expect(moved(first, joined)).toBeLessThanOrEqual(Math.ceil(total / (size + 1)))
        if (size === 1) return
        again.delete("m0")
        const left = sticky.assign(again, partitions)
        const stayed = new Map(Array.from(first).filter(([member]) => member !== "m0"))
        expect(moved(stayed, left)).toBe(0)
        expect(spread(left)).toBeLessThanOrEqual(1)
      })
    )
  })

  test("sticky, mixed subscriptions: no member could take a partition from one that has two more", () => {
    fc.assert(
      fc.property(fc.array(fc.subarray(topicNames, { minLength: 1 }), { minLength: 2, maxLength: 6 }), counts, (wanted, partitions) => {
        const group = new Map(wanted.map((topics, i) => [`m${i}`, plain(topics)]))
        const first = sticky.assign(group, partitions)
        const second = sticky.assign(
          remembering(first, (member) => group.get(member)?.topics ?? [], 1),
          partitions
        )
        expect(moved(first, second)).toBe(0)
        for (const [owner, lists] of first) {
          for (const { topic } of lists) {
            for (const [other, { topics }] of group) {
              if (topics.includes(topic)) expect(places(first, owner).length).toBeLessThanOrEqual(places(first, other).length + 1)
            }
          }
        }
      }),
      { numRuns: 500 }
    )
  })

  test("G2, cooperative-sticky: a partition that another member still owns is assigned to no member, and after a few rebalances every partition has an owner", () => {
    fc.assert(
      fc.property(
        fc.array(fc.subarray(topicNames, { minLength: 1 }), { minLength: 1, maxLength: 6 }),
        fc.subarray(topicNames, { minLength: 1 }),
        counts,
        (wanted, newcomer, partitions) => {
          const topicsOf = (member: string): ReadonlyArray<string> => (member === "new" ? newcomer : (wanted[Number(member.slice(1))] ?? []))
          const first = cooperativeSticky.assign(new Map(wanted.map((topics, i) => [`m${i}`, plain(topics)])), partitions)
          const second = cooperativeSticky.assign(new Map([...remembering(first, topicsOf, 1), ["new", plain(newcomer)]]), partitions)
          for (const [member] of second) {
            for (const place of places(second, member)) {
              for (const [other] of first) if (other !== member) expect(places(first, other)).not.toContain(place)
            }
          }
          const wantedTopics = new Set([...wanted.flat(), ...newcomer])
          const total = Array.from(partitions).reduce((sum, [topic, count]) => sum + (wantedTopics.has(topic) ? count : 0), 0)
          // Where members want different topics, a round may find a better balance still, and take more away before it
          // gives: each revokes less. Two rounds were the most in 60,000 draws.
          let settled = second
          for (let [generation, changed] = [2, 1]; changed > 0; generation++) {
            expect(generation).toBeLessThan(50)
            const next = cooperativeSticky.assign(remembering(settled, topicsOf, generation), partitions)
            changed = moved(settled, next) + moved(next, settled)
            settled = next
          }
          expect(sizes(settled).reduce((sum, size) => sum + size, 0)).toBe(total)
        }
      ),
      {
        numRuns: 500,
        examples: [
          [
            [
              ["b", "d"],
              ["b", "c", "d"],
              ["a", "b", "c"]
            ],
            ["a", "d"],
            new Map([
              ["b", 4],
              ["c", 6],
              ["d", 3],
              ["a", 3]
            ])
          ]
        ]
      }
    )
  })

  test("two members claim one partition in one generation, and one has an older generation: one owner each", () => {
    const owned = [{ topic: "a", partitions: [0, 1] }]
    const claim = (generation: number): Subscription => ({
      ...plain(["a"]),
      ownedPartitions: owned,
      generation,
      userData: encodeStickyUserData({ previous: owned, generation })
    })
    const same = sticky.assign(
      new Map([
        ["m1", claim(3)],
        ["m2", claim(3)]
      ]),
      new Map([["a", 4]])
    )
    expect([...places(same, "m1"), ...places(same, "m2")].sort()).toEqual(["a-0", "a-1", "a-2", "a-3"])
    const later = sticky.assign(
      new Map([
        ["m1", claim(2)],
        ["m2", claim(3)]
      ]),
      new Map([["a", 4]])
    )
    expect(places(later, "m2")).toEqual(["a-0", "a-1"])
  })

  test("5,000 partitions, 500 members, mixed subscriptions: no time quadratic in the partitions", () => {
    const partitions = new Map(Array.from({ length: 50 }, (_, t): [string, number] => [`t${t}`, 100]))
    const topics = Array.from(partitions.keys())
    const group = new Map(Array.from({ length: 500 }, (_, i) => [`m${i}`, plain(topics.filter((_, t) => (t + i) % 5 !== 0))]))
    const first = sticky.assign(group, partitions)
    const again = remembering(first, (member) => group.get(member)?.topics ?? [], 1)
    again.delete("m7")
    const second = sticky.assign(again, partitions)
    expect(sizes(second).reduce((sum, size) => sum + size, 0)).toBe(5000)
    expect(spread(second)).toBeLessThanOrEqual(1)
  })
})

describe("the sticky assignor's user data", () => {
  test("what is written is read again", () => {
    fc.assert(
      fc.property(listed, generation, (previous, said) =>
        expect(decodeStickyUserData(encodeStickyUserData({ previous, generation: said }))).toEqual({ previous, generation: said })
      )
    )
  })
  test("any bytes: decoded or null, without memory for false counts", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void decodeStickyUserData(bytes)),
      { numRuns: 5000 }
    )
    expect(decodeStickyUserData(Uint8Array.of(0x7f, 0xff, 0xff, 0xff))).toBeNull()
    expect(decodeStickyUserData(Uint8Array.of(0, 0, 0, 1, 0, 1, 97, 0x7f, 0xff, 0xff, 0xff))).toBeNull()
  })
})
