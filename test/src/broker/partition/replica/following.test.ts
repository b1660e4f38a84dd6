import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import type { NextFetch } from "../../../../../domain/partition/follow.ts"
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
