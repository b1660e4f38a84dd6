import { describe, expect, test } from "bun:test"
import { type Follow, heard } from "../../../domain/partition/follow.ts"
import type { Broker } from "./broker.ts"
import { coreMutants } from "./mutants.ts"
import { coreOptions } from "./options.ts"
import { EventQueue } from "./queue.ts"
import { Replica } from "./replica.ts"
import { ReplicaLog } from "./replica-log.ts"
import { realRules, servesUnknownRegistrations } from "./rules.ts"
import { shrink, storyOf } from "./shrink.ts"
import { simulateCore } from "./simulate.ts"
import { type RareState, Sometimes } from "./sometimes.ts"
import { World } from "./world.ts"

/** What the test run has time for: some six simulated hours. `./franz simulate --core --hours N` runs more. */
const seeds = 200
const unsequenced = {
  hasProducerId: false,
  producerId: -1n,
  producerEpoch: -1,
  baseSequence: -1,
  lastSequence: -1,
  isControl: false,
  maxTimestamp: 0,
  offset: 0,
  baseOffset: 0,
  lastOffset: 0
}
/** Rare states that this many seeds reach many times. */
const often: ReadonlyArray<RareState> = [
  "a member of the ELR was elected",
  "a leader was elected uncleanly",
  "a follower cut records that the leader lacks",
  "a missing log was disowned",
  "a damaged log was disowned",
  "a reassignment completed",
  "a reassignment was cancelled after records were copied",
  "the leader changed during a reassignment",
  "the last replica stood alone in sync",
  "a duplicate waited for the high watermark",
  "a late response to a fetch was ignored"
]

describe("the functions of the domain alone", () => {
  test(`R1-R8, L1, L2, L4-L7 and liveness hold in ${seeds} seeds, and rare states are reached`, () => {
    const sometimes = new Sometimes()
    let simulatedMs = 0
    const from = process.cpuUsage()
    for (let seed = 1; seed <= seeds; seed++) {
      const run = simulateCore(coreOptions(seed), realRules)
      simulatedMs += run.simulatedMs
      sometimes.add(run.sometimes)
      expect([seed, run.violations]).toEqual([seed, []])
    }
    const { system, user } = process.cpuUsage(from)
    console.log(
      `${(simulatedMs / 3_600_000).toFixed(1)} simulated hours, ${Math.round((simulatedMs * 1000) / (system + user))} simulated seconds a second of one core`
    )
    expect(often.filter((state) => sometimes.of(state) === 0)).toEqual([])
  }, 120_000)

  test("a seed is replayed to the byte, and another one is another run", () => {
    const run = (seed: number) => simulateCore(coreOptions(seed, 30), realRules, true)
    const [one, again, other] = [run(7), run(7), run(8)]
    expect(again.lines.join("\n")).toBe(one.lines.join("\n"))
    expect(again.fingerprint).toBe(one.fingerprint)
    expect(other.fingerprint).not.toBe(one.fingerprint)
    // The history is not a part of the run.
    expect(simulateCore(coreOptions(7, 30), realRules).fingerprint).toBe(one.fingerprint)
  })

  test("a run that breaks an invariant is shrunk, and told in lines about its partition", () => {
    const { rules } = coreMutants.find(({ name }) => name === "a follower cuts its log to the high watermark") ?? { rules: realRules }
    const options = coreOptions(3)
    const found = simulateCore(options, rules)
    const shrunk = shrink(options, rules, found, 60)
    expect(shrunk.run.violations[0]?.invariant).toBe(found.violations[0]?.invariant)
    expect(shrunk.options.plan.length).toBeLessThan(options.plan.length)
    const story = storyOf(shrunk.options, rules)
    expect(story.at(-1)).toContain("BROKEN")
    expect(story.some((line) => /leads \S+-\d+@\d+e\d+/.test(line))).toBe(true)
  })
})

test("a follower serves consumers once it is aligned, and up to what its leader has said in its leader epoch", () => {
  const world = new World({ ...coreOptions(1), followerReads: true }, realRules, false)
  world.partitions.add("T0000000000000000000AA" as never, "orders", 0, 0, [])
  const known = world.partitions.of(0)
  const log = new ReplicaLog()
  log.append({ ...unsequenced, number: 1, epoch: 4 })
  log.checkpointed = 1
  const replica = new Replica(world.brokers[2] as Broker, known.key, log)
  // Another broker was elected uncleanly under epoch 5, and leads again under epoch 7.
  known.uncleanEpoch = 5
  replica.becomeFollower({ replicas: [0, 2], isr: [0], elr: [], adding: [], removing: [], leader: 0, leaderEpoch: 7, partitionEpoch: 9 } as never)
  expect([replica.highWatermark, replica.readable(0)?.records.length]).toEqual([1, 0])
  replica.follow = heard({ ...(replica.follow as Follow), isAligned: true }, 1)
  expect(replica.readable(0)).toMatchObject({ records: [{ number: 1 }], epoch: 7 })
})

test("actions run by time, and in the order in which they were added", () => {
  const queue = new EventQueue()
  const ran: Array<string> = []
  for (const [ms, name] of [
    [5, "c"],
    [1, "a"],
    [5, "d"],
    [3, "b"]
  ] as const)
    queue.after(ms, () => void ran.push(`${name} at ${queue.now}`))
  queue.runUntil(4, () => true)
  expect([ran, queue.now]).toEqual([["a at 1", "b at 3"], 4])
  queue.runUntil(10, () => true)
  expect(ran).toEqual(["a at 1", "b at 3", "c at 5", "d at 5"])
})

describe("a rule that is switched off is found", () => {
  test("the stored high watermark stays behind a cut, in a longer run", () => {
    const rules = { ...realRules, fetchRefusal: servesUnknownRegistrations }
    const run = (lowersCheckpoints: boolean) => simulateCore(coreOptions(3_000_067, 185), { ...rules, lowersCheckpoints }).violations[0]?.invariant
    expect([run(false), run(true)]).toEqual(["R3", undefined])
  })
  test.each(coreMutants.map((mutant) => [mutant.name, mutant] as const))(
    "%s",
    (_, { likelySeed, rules }) => {
      // Beginning with a seed that found it once.
      let violation: string | undefined
      for (let seed = likelySeed; seed < likelySeed + 60 && violation === undefined; seed++)
        violation = simulateCore(coreOptions(seed), rules).violations[0]?.invariant
      expect(violation).toBeDefined()
    },
    120_000
  )
})
