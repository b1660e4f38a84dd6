import { describe, expect, test } from "bun:test"
import { Effect, Fiber, Option } from "effect"
import { Admin } from "../../../../src/client/admin/admin.ts"
import { Consumer } from "../../../../src/client/consumer/consumer.ts"
import type { ConsumerService } from "../../../../src/client/consumer/service.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import { leader, type RealCluster, withCluster } from "../real-cluster.ts"

const hosts = ["leader", "broker1", "broker2"]
/** What happens to a client whose NAT forgot its connections: they stay open and carry nothing, new ones work. */
const freeze = (cluster: RealCluster, host = "client") => {
  for (const other of hosts) cluster.network.freeze(host, other)
}
const now = Effect.map(Effect.clock, (clock) => clock.unsafeCurrentTimeMillis())
const took = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const from = yield* now
    const result = yield* effect
    return { result, ms: (yield* now) - from }
  })
const onHost = (cluster: RealCluster, host: string) => Effect.provide(cluster.network.layer(host))
const produce = (cluster: RealCluster, values: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.flatMap(Producer.make({ leader }), (producer) => Effect.forEach(values, (value) => producer.sendMessage("orders", value, { partition: 0 })))
  ).pipe(onHost(cluster, "elsewhere"))
const newTopic = (cluster: RealCluster) =>
  Effect.scoped(Effect.flatMap(Producer.make({ leader }), (producer) => producer.addTopic("orders", { partitions: 2 }))).pipe(onHost(cluster, "elsewhere"))
const until = (consumer: ConsumerService, text: string) =>
  Effect.gen(function* () {
    for (;;) if ((yield* consumer.poll()).some((message) => message.text === text)) return
  })

describe("half-open connections", () => {
  test("a caller with a timeout of its own meets the silence once: the next call goes over another connection", () =>
    withCluster((cluster) =>
      Effect.gen(function* () {
        const admin = yield* Admin.make({ leader })
        yield* admin.describeCluster
        yield* admin.describeCluster
        freeze(cluster)
        const answered: Array<boolean> = []
        for (let attempt = 0; attempt < 8; attempt++) answered.push(Option.isSome(yield* Effect.timeoutOption(admin.describeCluster, 2000)))
        // The cluster has three nodes, and each may be met once.
        expect(answered.filter((worked) => !worked).length).toBeLessThanOrEqual(3)
        expect(answered.slice(3)).toEqual([true, true, true, true, true])
      })
    ))

  test("callers that wait half a second each find it out together", () =>
    withCluster((cluster) =>
      Effect.gen(function* () {
        const admin = yield* Admin.make({ leader })
        yield* admin.describeCluster
        freeze(cluster)
        const worked = Effect.map(Effect.timeoutOption(admin.describeCluster, 500), Option.isSome)
        let attempts = 0
        while (!(yield* worked)) attempts += 1
        expect(attempts).toBeLessThanOrEqual(9)
      })
    ))

  test("a patient call is repeated over another connection within its own time", () =>
    withCluster((cluster) =>
      Effect.gen(function* () {
        yield* newTopic(cluster)
        for (const retryTimeoutMs of [30_000, 6000]) {
          const admin = yield* Admin.make({ leader, retryTimeoutMs })
          yield* admin.describeTopic("orders")
          freeze(cluster)
          const { ms, result } = yield* took(admin.describeTopic("orders"))
          expect(result.partitions.length).toBe(2)
          expect(ms).toBeLessThan(retryTimeoutMs)
        }
      })
    ))

  test("a call to a cluster that stays silent ends in its time", () =>
    withCluster((cluster) =>
      Effect.gen(function* () {
        const admin = yield* Admin.make({ leader, retryTimeoutMs: 6000 })
        yield* admin.describeCluster
        for (const host of hosts) cluster.network.cut("client", host)
        const { ms, result } = yield* took(Effect.flip(admin.describeCluster))
        expect(["RequestTimedOut", "NotReachable"]).toContain(result._tag)
        expect(ms).toBeLessThanOrEqual(6000)
        cluster.network.heal()
      })
    ))

  test("a producer continues within its request timeout, and stores each message once", () =>
    withCluster((cluster) =>
      Effect.gen(function* () {
        yield* newTopic(cluster)
        const producer = yield* Producer.make({ leader, requestTimeoutMs: 5000 })
        yield* producer.sendMessage("orders", "before", { partition: 0 })
        freeze(cluster)
        const { ms, result } = yield* took(producer.sendMessage("orders", "after", { partition: 0 }))
        expect(result.offset).toBe(1)
        expect(ms).toBeLessThan(6500)
      })
    ))

  test("a member of a group reads on within its session", () =>
    withCluster((cluster) =>
      Effect.gen(function* () {
        yield* newTopic(cluster)
        const consumer = yield* Consumer.make({ leader })
        yield* consumer.joinConsumerGroup("billing", { sessionTimeoutMs: 10_000 })
        yield* consumer.subscribe("orders")
        yield* produce(cluster, ["before"])
        yield* until(consumer, "before")
        freeze(cluster)
        yield* produce(cluster, ["after"])
        const { ms } = yield* took(until(consumer, "after"))
        expect(ms).toBeLessThan(11_000)
        yield* consumer.commit
      })
    ))

  test("a consumer without a group reads on, too", () =>
    withCluster((cluster) =>
      Effect.gen(function* () {
        yield* newTopic(cluster)
        const consumer = yield* Consumer.make({ leader })
        yield* consumer.assign([{ topic: "orders", partition: 0, at: "earliest" }])
        yield* produce(cluster, ["before"])
        yield* until(consumer, "before")
        freeze(cluster)
        yield* produce(cluster, ["after"])
        const { ms } = yield* took(until(consumer, "after"))
        expect(ms).toBeLessThan(8000)
      })
    ))

  test("a member that waits for the others to join does not wait on a half-open connection", () =>
    withCluster((cluster) =>
      Effect.gen(function* () {
        yield* newTopic(cluster)
        // A member that lives and does not join again holds the rebalance for its whole timeout.
        const slow = yield* Consumer.make({ leader }).pipe(onHost(cluster, "elsewhere"))
        yield* slow.joinConsumerGroup("billing", { rebalanceTimeoutMs: 30_000 })
        yield* slow.subscribe("orders")
        yield* produce(cluster, ["one"])
        yield* until(slow, "one")
        yield* produce(cluster, ["two", "three"])
        while ((yield* slow.poll({ maxRecords: 1 })).length === 0);
        const consumer = yield* Consumer.make({ leader, from: "earliest" })
        yield* consumer.joinConsumerGroup("billing", { rebalanceTimeoutMs: 60_000 })
        yield* consumer.subscribe("orders")
        yield* Effect.sleep(1000)
        freeze(cluster)
        const from = yield* now
        const joined = yield* Effect.fork(
          Effect.gen(function* () {
            while ((yield* consumer.positions).length === 0) yield* Effect.sleep(100)
          })
        )
        yield* Fiber.join(joined)
        // Half of the slow member's rebalance timeout, and the time to notice the silence: without the probes it is a minute and a half.
        expect((yield* now) - from).toBeLessThan(40_000)
      })
    ))
})
