import { describe, expect, setDefaultTimeout, test } from "bun:test"
import fc from "fast-check"
import type { Assignor } from "../../../../domain/group/assignor/assignor.ts"
import { range } from "../../../../domain/group/assignor/range.ts"
import { roundRobin } from "../../../../domain/group/assignor/round-robin.ts"
import { sticky } from "../../../../domain/group/assignor/sticky.ts"
import { defaults } from "../../../../domain/group/limits.ts"
import { committed } from "../../../../domain/group/offset/committed.ts"
import { toSnapshot } from "../../../../domain/group/snapshot.ts"
import { topic } from "../given.ts"
import { isMember, places, World } from "../world.ts"

// The test computes and does not wait: on a busy machine it needs more time.
setDefaultTimeout(120_000)

const topicNames = ["a", "b", "c"]
const partitions = new Map([
  ["a", 4],
  ["b", 3],
  ["c", 1]
])
const sessionTimeoutMs = 10_000
const rebalanceTimeoutMs = 30_000

type Fault =
  | { readonly _tag: "Start"; readonly topics: ReadonlyArray<string>; readonly instanceId: string | null }
  | {
      readonly _tag: "Crash" | "Leave" | "Revive" | "Pause" | "Subscribe" | "Commit"
      readonly who: number
      readonly topics: ReadonlyArray<string>
      readonly forMs: number
    }
  | { readonly _tag: "Restart" }
  | { readonly _tag: "Save" }
const topics = fc.subarray(topicNames, { minLength: 1 })
const fault: fc.Arbitrary<Fault> = fc.oneof(
  { arbitrary: fc.record({ _tag: fc.constant("Start" as const), topics, instanceId: fc.option(fc.constantFrom("i", "j"), { freq: 2 }) }), weight: 3 },
  {
    arbitrary: fc.record({
      _tag: fc.constantFrom("Crash" as const, "Leave" as const, "Revive" as const, "Pause" as const, "Subscribe" as const, "Commit" as const),
      who: fc.nat(7),
      topics,
      forMs: fc.integer({ min: 500, max: 60_000 })
    }),
    weight: 6
  },
  { arbitrary: fc.constantFrom<Fault>({ _tag: "Restart" }, { _tag: "Save" }), weight: 2 }
)
const story = fc.array(fc.record({ fault, ticks: fc.oneof(fc.nat(6), fc.nat(80)) }), { minLength: 1, maxLength: 25, size: "max" })

const happen = (world: World, fault: Fault, commits: { last: number | undefined; next: number }): void => {
  if (fault._tag === "Restart") return world.restart()
  if (fault._tag === "Save") return world.save()
  if (fault._tag === "Start") {
    if (world.clients.length < 8) world.start(fault.topics, fault.instanceId, sessionTimeoutMs)
    return
  }
  const client = world.clients[fault.who % Math.max(world.clients.length, 1)]
  if (client === undefined) return
  if (fault._tag === "Crash") client.crash()
  else if (fault._tag === "Leave") client.leave()
  else if (fault._tag === "Revive" && !client.alive) client.revive()
  else if (fault._tag === "Pause") client.pausedUntil = world.now + fault.forMs
  else if (fault._tag === "Subscribe" && client.alive && client.state === "in") {
    client.topics = fault.topics
    client.state = "start"
  } else if (fault._tag === "Commit" && client.alive) {
    const offset = commits.next++
    if (client.commit("a", offset)) commits.last = offset
  }
}

/** What must hold after the last fault, when the timeouts have expired. */
const settled = (world: World): void => {
  const living = world.clients.filter(({ alive, state }) => alive && state !== "fenced")
  if (living.length === 0) {
    expect(["Empty", "Dead"]).toContain(world.group.phase)
    return
  }
  expect(world.group.phase).toBe("Stable")
  for (const client of living) {
    expect(client.state).toBe("in")
    expect(client.generation).toBe(world.group.generation)
    expect(isMember(world.group, client)).toBe(true)
  }
  const owned = living.flatMap(({ owned }) => places(owned))
  const wanted = new Set(living.flatMap(({ topics }) => topics))
  const all = Array.from(partitions).flatMap(([name, count]) => (wanted.has(name) ? Array.from({ length: count }, (_, p) => `${name}-${p}`) : []))
  expect([...owned].sort()).toEqual(all.sort())
}

const live = (assignor: Assignor, taken: ReadonlyArray<{ readonly fault: Fault; readonly ticks: number }>): World => {
  const world = new World(defaults, assignor, partitions)
  const commits: { last: number | undefined; next: number } = { last: undefined, next: 1 }
  for (const { fault, ticks } of taken) {
    happen(world, fault, commits)
    for (let i = 0; i < ticks; i++) world.tick()
  }
  // Two instances of one static member fence each other repeatedly: one of them stays.
  const seen = new Set<string>()
  for (const client of world.clients) {
    if (client.instanceId === null || !client.alive || client.state === "fenced") continue
    if (seen.has(client.instanceId)) client.crash()
    seen.add(client.instanceId)
  }
  for (const client of world.clients) client.pausedUntil = 0
  // G6: twice the session timeout and the rebalance timeout, and the initial delay where the group has been empty. A
  // rebalance may just have begun when the faults stop.
  for (let ms = 0; ms < 2 * (2 * sessionTimeoutMs + rebalanceTimeoutMs) + 2 * defaults.initialRebalanceDelayMs; ms += 500) world.tick()
  settled(world)
  expect(committed(world.group.offsets, topic("a"), 0)?.offset).toBe(commits.last)
  const state = toSnapshot(world.group)
  world.restart()
  expect(toSnapshot(world.group)).toEqual(state)
  return world
}

describe("a group of clients that crash, pause, leave and resubscribe, under a leader that restarts", () => {
  for (const assignor of [range, roundRobin, sticky]) {
    test(`G1, G3, G4, G6 with ${assignor.name}: one owner each in every generation, and in the end no member is left out`, () => {
      fc.assert(
        fc.property(story, (taken) => {
          live(assignor, taken)
        }),
        { numRuns: 80 }
      )
    })
  }

  test("three members, one crashes: the others get its partitions within its session timeout and a rebalance", () => {
    const world = new World(defaults, range, partitions)
    const [a, b, c] = [0, 1, 2].map(() => world.start(["a", "b"], null, sessionTimeoutMs))
    for (let i = 0; i < 40; i++) world.tick()
    expect(world.group.phase).toBe("Stable")
    b?.crash()
    for (let i = 0; i < 40; i++) world.tick()
    expect(world.group.phase).toBe("Stable")
    expect([...places(a?.owned ?? []), ...places(c?.owned ?? [])].length).toBe(7)
  })
})
