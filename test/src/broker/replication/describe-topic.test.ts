import { expect, spyOn, test } from "bun:test"
import { Duration, Effect, ExecutionStrategy, Exit, Scope } from "effect"
import { topicCommands } from "../../../../src/cli/admin/topic.ts"
import { Admin } from "../../../../src/client/admin/admin.ts"
import { createReplicated, partitionOf, produce, ReplicatedWorld, until } from "./support.ts"

test("a leader alone below min ISR does not know its end: the description shows the partition without it, with who may lead, and with it after recovery", () => {
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
      expect(alone.partitions).toMatchObject([{ leader: 2, isr: [2], first: 0, end: undefined, eligible: [1] }])
      expect(Duration.toMillis(took)).toBeLessThan(5000)

      const describe = topicCommands.find(({ path }) => path.join(" ") === "topic describe")
      const written = spyOn(process.stdout, "write").mockImplementation(() => true)
      yield* Effect.provide(describe?.run(["orders", "--leader", "leader:9092"], "franz") ?? Effect.die("no command"), world.network.layer("client"))
      const text = written.mock.calls.map(([chunk]) => String(chunk)).join("")
      written.mockRestore()
      expect(text).toMatch(/IN SYNC +ELIGIBLE +FIRST +END/)
      expect(text).toMatch(/ 0 +2 +1 +1,2 +2 +1 +0 +\? +\?/)

      yield* world.broker(1)
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      yield* Effect.sleep(1000)
      const [recovered] = (yield* admin.describeTopic("orders")).partitions
      expect(recovered).toMatchObject({ first: 0, end: 3 })
      expect(recovered?.eligible).toBeUndefined()
    })
  )
})

test("a topic is described within seconds while no leader of the cluster replaces a broker that has stopped: what the others know, without its offsets", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leads = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
      const leader = yield* Scope.extend(world.leader(), leads)
      yield* world.broker(1)
      const second = yield* world.broker(2)
      yield* createReplicated(leader, [2, 1])
      const admin = yield* Effect.provide(Admin.make({ leader: "broker-1:9092", retryTimeoutMs: 10_000 }), world.network.layer("client"))
      expect((yield* admin.describeTopic("orders")).partitions).toMatchObject([{ leader: 2, first: 0, end: 0 }])

      yield* Scope.close(leads, Exit.void)
      yield* second.stop
      const [took, { configs, partitions }] = yield* Effect.timed(admin.describeTopic("orders"))
      expect(partitions).toMatchObject([{ leader: 2, replicas: [2, 1], first: undefined, end: undefined }])
      expect(configs.length).toBeGreaterThan(10)
      expect(Duration.toMillis(took)).toBeLessThan(5000)
    })
  )
})
