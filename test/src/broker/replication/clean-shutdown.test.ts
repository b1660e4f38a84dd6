import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import type { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { brokerOf } from "../../../../domain/cluster/state.ts"
import { createReplicated, partitionOf, produce, ReplicatedWorld, until, valuesOn } from "./support.ts"

const unsynced = { "log.flush.policy": "interval" } as const

/** The second broker's disk after all three have stopped one after the other, and what the sets say when it starts again: the other two are stopped. */
const afterAllStopped = (
  world: ReplicatedWorld,
  policies: { readonly before: object; readonly after: object },
  diskOf: (disk: MemoryDisk) => () => MemoryDisk
) =>
  Effect.gen(function* () {
    const leader = yield* world.leader()
    const brokers = [yield* world.broker(1, policies.before), yield* world.broker(2, policies.before), yield* world.broker(3, policies.before)]
    yield* createReplicated(leader, [1, 2, 3], { "min.insync.replicas": "2" })
    yield* until(() => partitionOf(leader)?.isr.length === 3)
    expect(yield* produce(yield* world.link(1), "record 0")).toEqual(["NONE", 0])
    const taken = diskOf(world.disks.get(2) as MemoryDisk)
    for (const { stop } of brokers) yield* stop
    yield* until(() => partitionOf(leader)?.leader === -1)
    const vouched = () => [...(partitionOf(leader)?.isr ?? []), ...(partitionOf(leader)?.elr ?? [])]
    expect(vouched().length).toBeGreaterThan(1)
    expect(vouched()).toContain(2 as never)
    world.disks.set(2, taken())
    const before = brokerOf(leader.cluster(), 2)?.epoch ?? 0
    yield* world.broker(2, policies.after)
    yield* until(() => (brokerOf(leader.cluster(), 2)?.epoch ?? 0) > before)
    yield* Effect.sleep(2000)
    return { leader, isVouched: vouched().includes(2 as never) }
  })

/** What a stop leaves, and what the end of the process without one does. */
const stopped = (disk: MemoryDisk) => () => disk
const killed = (disk: MemoryDisk) => {
  const image = disk.copy()
  return () => image
}

describe("log.flush.policy=interval: what a broker keeps of what it acknowledged", () => {
  const cases = [
    { what: "a clean shutdown keeps all of it", policies: { before: unsynced, after: unsynced }, diskOf: stopped, isVouched: true },
    { what: "an unclean one may not: the broker leaves all sets", policies: { before: unsynced, after: unsynced }, diskOf: killed, isVouched: false },
    { what: "the same, though the next start syncs before it acknowledges", policies: { before: unsynced, after: {} }, diskOf: killed, isVouched: false },
    { what: "with a sync before each acknowledgement an unclean stop keeps it, too", policies: { before: {}, after: {} }, diskOf: killed, isVouched: true }
  ]
  for (const { diskOf, isVouched, policies, what } of cases)
    test(what, () => {
      const world = new ReplicatedWorld()
      return world.run(
        Effect.gen(function* () {
          const result = yield* afterAllStopped(world, policies, diskOf)
          expect(result.isVouched).toBe(isVouched)
          yield* world.broker(1, policies.after)
          yield* world.broker(3, policies.after)
          yield* until(() => partitionOf(result.leader)?.isr.length === 3)
          expect(yield* valuesOn(yield* world.link(partitionOf(result.leader)?.leader ?? -1))).toEqual(["record 0"])
        })
      )
    })
})
