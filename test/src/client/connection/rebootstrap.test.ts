import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { Admin } from "../../../../src/client/admin/admin.ts"
import { Metadata } from "../../../../src/protocol/message/03-metadata.ts"
import { route } from "../../../../src/wire/route.ts"
import { withFake } from "../support.ts"

describe("bootstrap addresses", () => {
  test("are used again when none of the known nodes responds (KIP-899)", async () => {
    let asked = 0
    const ids = await withFake(
      () =>
        Effect.gen(function* () {
          const admin = yield* Admin.make({ leader: "absent:9092,node0:9092", retryTimeoutMs: 5000 })
          yield* admin.listTopics()
          return (yield* admin.listTopics()).length
        }),
      {
        nodes: 1,
        prepare: (fake) => {
          // At first the cluster names a node that has moved since.
          fake.extraRoutes = [
            route(Metadata, {}, () => {
              const host = ++asked === 1 ? "moved" : "node0"
              return { brokers: [{ nodeId: 7, host, port: 9092 }], clusterId: "fake", controllerId: 7, errorCode: 0, topics: [] }
            })
          ]
        }
      }
    )
    expect(ids).toBe(0)
    expect(asked).toBeGreaterThan(2)
  })

  test("are used when a node demands it (KIP-1102)", async () => {
    const topics = await withFake(
      (fake) =>
        Effect.gen(function* () {
          fake.add("orders", 1)
          const admin = yield* Admin.make({ leader: "node0:9092,node1:9092", retryTimeoutMs: 5000 })
          // Both known nodes demand it; the first bootstrap address responds.
          fake.errors.set("Metadata", ["REBOOTSTRAP_REQUIRED", "REBOOTSTRAP_REQUIRED"])
          return yield* admin.listTopics()
        }),
      { nodes: 2 }
    )
    expect(topics.map(({ name }) => name)).toEqual(["orders"])
  })
})
