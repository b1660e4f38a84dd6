import { expect, test } from "bun:test"
import { Effect, type Fiber, FiberRef, FiberRefs, Layer, LogLevel, Option, Schema, Supervisor } from "effect"
import { Admin, Consumer, Producer, Topic, worker } from "../../../src/programs/library.ts"
import { TestCluster } from "../../../src/programs/testing.ts"

const options = { brokers: 3, config: { "num.partitions": 4 }, logLevel: LogLevel.None }

test("a cluster that is stopped as soon as it is ready ends: its brokers begin to coordinate the groups then", async () => {
  for (const ms of [0, 1, 2]) await Effect.runPromise(Effect.provide(Effect.sleep(ms), TestCluster.layerVirtual(options)))
})

const keepsInterruption = (fiber: Fiber.RuntimeFiber<unknown, unknown>): boolean =>
  Option.isSome(FiberRefs.get(fiber.getFiberRefs(), FiberRef.interruptedCause))

test("every fiber of a cluster and of its clients keeps an interruption that arrives while it runs finalizers", async () => {
  const orders = Topic.make("orders", { key: Schema.String, value: Schema.String })
  const connection = { leader: "127.0.0.1:9092" }
  const clients = Layer.mergeAll(Producer.layer(connection), Consumer.layer({ ...connection, from: "earliest" }), Admin.layer(connection))
  const supervisor = await Effect.runPromise(Supervisor.track)
  const program = Effect.gen(function* () {
    yield* (yield* Admin).addTopic("orders", { partitions: 3 })
    yield* (yield* Producer).send(orders, "ann", "hello")
    const handling = worker(orders, () => Effect.never, { group: "billing", deadLetter: "orders.dead" })
    yield* Effect.forkScoped(handling)
    yield* Effect.sleep("10 seconds")
    return yield* supervisor.value
  })
  const all = Layer.provideMerge(clients, TestCluster.layerVirtual(options))
  const fibers = await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all), Effect.supervised(supervisor)))
  expect(fibers.length).toBeGreaterThan(100)
  expect(fibers.filter((fiber) => !keepsInterruption(fiber)).length).toBe(0)
})
