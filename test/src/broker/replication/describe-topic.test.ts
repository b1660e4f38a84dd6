import { expect, test } from "bun:test"
import { Duration, Effect } from "effect"
import { Admin } from "../../../../src/client/admin/admin.ts"
import { createReplicated, partitionOf, produce, ReplicatedWorld, until } from "./support.ts"

test("a leader alone below min ISR does not know its end: the description shows the partition without it, and with it after recovery", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const first = yield* world.broker(1)
      yield* world.broker(2)
      yield* createReplicated(leader, [1, 2], { "min.insync.replicas": "2" })
      const to = yield* world.link(1)
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      for (let n = 0; n < 3; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === 2 && partitionOf(leader)?.isr.length === 1)

      const admin = yield* Effect.provide(Admin.make({ leader: "leader:9092" }), world.network.layer("client"))
      const [took, alone] = yield* Effect.timed(admin.describeTopic("orders"))
      expect(alone.partitions).toMatchObject([{ leader: 2, isr: [2], first: 0, end: undefined }])
      expect(Duration.toMillis(took)).toBeLessThan(5000)

      yield* world.broker(1)
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      yield* Effect.sleep(1000)
      expect((yield* admin.describeTopic("orders")).partitions).toMatchObject([{ first: 0, end: 3 }])
    })
  )
})
