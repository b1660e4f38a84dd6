import { expect, spyOn, test } from "bun:test"
import { Effect } from "effect"
import { clusterDescribe } from "../../../../src/cli/admin/cluster.ts"
import { createReplicated, ReplicatedWorld } from "../../broker/replication/support.ts"

test("the description names the leader, and no broker as the controller, where the leader is a process of its own", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2])
      const described = Effect.fnUntraced(function* (...words: ReadonlyArray<string>) {
        const written = spyOn(process.stdout, "write").mockImplementation(() => true)
        yield* Effect.provide(clusterDescribe.run(["--leader", "broker-1:9092", ...words], "franz"), world.network.layer("client"))
        const text = written.mock.calls.map(([chunk]) => String(chunk)).join("")
        written.mockRestore()
        return text
      })
      const text = yield* described()
      expect(text).toContain("\nleader: node 100\n")
      expect(text).not.toContain("controller")
      expect(JSON.parse(yield* described("--json"))).toMatchObject({ leaderId: 100, nodes: [{ id: 1 }, { id: 2 }] })
    })
  )
})
