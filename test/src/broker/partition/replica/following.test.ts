import { expect, test } from "bun:test"
import { Effect, Fiber, HashMap } from "effect"
import { initial, type Partition } from "../../../../../domain/cluster/state.ts"
import type { NextFetch } from "../../../../../domain/partition/follow.ts"
import type { BrokerContext } from "../../../../../src/broker/broker-context.ts"
import { Roles } from "../../../../../src/broker/partition/hosted/roles.ts"
import type { Replica } from "../../../../../src/broker/partition/replica/replica.ts"
import { replicaMutants } from "../../../../simulation/mutant/replica-mutants.ts"
import { ScriptedReplica } from "./scripted-replica.ts"

const diverging = { _tag: "diverging", diverging: { epoch: 4, endOffset: 8 } } as const

/** What the replica of ten records fetches while the leader's answer cuts its log to offset 8, and afterwards; `isElected`: under the next leader epoch. */
const fetches = (isElected: boolean) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const replica = new ScriptedReplica(0, 10)
      const { following } = replica
      const sent = following?.fetch() as NextFetch
      expect(sent).toMatchObject({ offset: 10, leaderEpoch: 5 })
      const cut = yield* Effect.fork(following?.answered(sent, diverging) ?? Effect.void)
      yield* Effect.yieldNow()
      expect(replica.finish).toBeDefined()
      if (isElected) replica.elected(6)
      const during = replica.following?.fetch()
      replica.finish?.()
      yield* Fiber.join(cut)
      return [during?.offset, replica.following?.fetch()?.offset, replica.end]
    })
  )

for (const isElected of [false, true])
  test(`no fetch names the end of a log that is being cut${isElected ? ", nor under the next leader epoch: the leader would count the replica for what the cut takes" : ""}`, async () => {
    expect(await fetches(isElected)).toEqual([undefined, 8, 8])
    const undo = replicaMutants.find(({ name }) => name === "named-while-cut")?.plant?.()
    try {
      expect((await fetches(isElected))[0]).toBe(10)
    } finally {
      undo?.()
    }
  })

/** The broker is elected, as `Roles` sees it, while the leader's answer cuts the log of its replica; what the replica was told. */
const roleWhileCut = (isCut: boolean) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const replica = new ScriptedReplica(0, 10)
      const told: Array<string> = []
      const roles = new Roles({
        nodeId: 2,
        isSelf: () => true,
        cluster: () => ({ ...initial, brokers: HashMap.make([2, { id: 2, fenced: false }]) })
      } as unknown as BrokerContext["Type"])
      roles.begin()
      const partition = { replicas: [2], leader: 2, leaderEpoch: 6 } as unknown as Partition
      const assign = () =>
        roles.assign(
          {
            followed: replica.followed,
            becomeLeader: (epoch: number) => void told.push(`leads ${epoch}`),
            stopLeading: () => void told.push("waits")
          } as unknown as Replica,
          partition
        )
      const cut = yield* Effect.fork(isCut ? (replica.following?.answered(replica.following.fetch() as NextFetch, diverging) ?? Effect.void) : Effect.void)
      yield* Effect.yieldNow()
      assign()
      assign()
      replica.finish?.()
      yield* Fiber.join(cut)
      for (let n = 0; n < replica.settled; n++) assign()
      return told
    })
  )

test("a broker that is elected while its log is being cut leads when the cut is over: what it appends would be cut as well", async () => {
  expect(await roleWhileCut(false)).toEqual(["leads 6", "leads 6"])
  expect(await roleWhileCut(true)).toEqual(["waits", "waits", "leads 6"])
})
