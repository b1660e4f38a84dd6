import { describe, expect, test } from "bun:test"
import { Effect, Either, Fiber, Schema, Stream } from "effect"
import { streamOf } from "../../../../domain/group/groups.ts"
import { groupId } from "../../../../domain/group/id.ts"
import { Admin } from "../../../../src/client/admin/admin.ts"
import { makeClient } from "../../../../src/client/cluster/client.ts"
import { Consumer } from "../../../../src/client/consumer/consumer.ts"
import type { ConsumerService } from "../../../../src/client/consumer/service.ts"
import { records } from "../../../../src/client/consumer/typed/records.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import { addPartitions } from "../../../../src/client/topic/administration.ts"
import * as Topic from "../../../../src/client/topic/topic.ts"
import { leader, withCluster } from "../real-cluster.ts"

const errorOf = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.map(Effect.either(effect), (either) => (Either.isLeft(either) ? either.left : undefined))
const texts = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => `${from + at}`)
const sorted = (list: Iterable<string>) => [...list].sort((a, b) => Number(a) - Number(b))

const produce = (topic: string, values: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const producer = yield* Producer.make({ leader })
      yield* Effect.forEach(values, (value) => producer.sendMessage(topic, value, { key: value }), { concurrency: "unbounded" })
    })
  )
const newTopic = (topic: string, partitions: number) =>
  Effect.scoped(Effect.flatMap(Producer.make({ leader }), (producer) => producer.addTopic(topic, { partitions })))

/** Polls until `count` messages came. */
const take = (consumer: ConsumerService, count: number) =>
  Effect.gen(function* () {
    const got: Array<string> = []
    while (got.length < count) got.push(...(yield* consumer.poll()).map(({ text }) => text))
    return got
  })
const assigned = (consumers: ReadonlyArray<ConsumerService>, counts: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    for (;;) {
      const now = yield* Effect.forEach(consumers, ({ positions }) => Effect.map(positions, ({ length }) => length))
      if (now.join() === counts.join()) return
      yield* Effect.sleep(50)
    }
  })
/** A member that polls all the time and notes what it gets. */
const busy = (consumer: ConsumerService, note: (text: string) => void) =>
  Effect.forkScoped(Effect.forever(Effect.map(consumer.poll({ timeoutMs: 200 }), (polled) => polled.forEach(({ text }) => note(text)))))

describe("a member of a group", () => {
  test("receives what came since it subscribed, and nothing from before", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* newTopic("orders", 4)
        yield* produce("orders", texts(0, 20))
        const consumer = yield* Consumer.make({ leader })
        yield* consumer.joinConsumerGroup("billing")
        yield* consumer.subscribe("orders")
        yield* produce("orders", texts(20, 120))
        expect(sorted(yield* take(consumer, 100))).toEqual(texts(20, 120))
        expect(yield* consumer.poll()).toEqual([])
      })
    ))

  test("begins at the first message, or after the last, where it asks for that", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* newTopic("orders", 3)
        yield* produce("orders", texts(0, 20))
        const [early, late] = [yield* Consumer.make({ leader, from: "earliest" }), yield* Consumer.make({ leader, from: "latest" })]
        yield* early.joinConsumerGroup("early")
        yield* early.subscribe("orders")
        yield* late.joinConsumerGroup("late")
        yield* late.subscribe("orders")
        expect(sorted(yield* take(early, 20))).toEqual(texts(0, 20))
        yield* assigned([late], [3])
        yield* produce("orders", texts(20, 30))
        expect(sorted(yield* take(late, 10))).toEqual(texts(20, 30))
      })
    ))

  test("continues where its group was: the next member gets no message twice", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* newTopic("orders", 3)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const first = yield* Consumer.make({ leader })
            yield* first.joinConsumerGroup("billing")
            yield* first.subscribe("orders")
            yield* produce("orders", texts(0, 30))
            expect(sorted(yield* take(first, 30))).toEqual(texts(0, 30))
          })
        )
        yield* produce("orders", texts(30, 40))
        const second = yield* Consumer.make({ leader })
        yield* second.joinConsumerGroup("billing")
        yield* second.subscribe("orders")
        expect(sorted(yield* take(second, 10))).toEqual(texts(30, 40))
      })
    ))

  test("that ends badly leaves what it had in hand to the next (G7)", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* newTopic("orders", 1)
        const broken = Effect.scoped(
          Effect.gen(function* () {
            const first = yield* Consumer.make({ leader })
            yield* first.joinConsumerGroup("billing")
            yield* first.subscribe("orders")
            yield* produce("orders", texts(0, 10))
            expect(yield* Effect.map(first.poll({ maxRecords: 4 }), (polled) => polled.map(({ text }) => text))).toEqual(texts(0, 4))
            expect(yield* Effect.map(first.poll({ maxRecords: 3 }), (polled) => polled.map(({ text }) => text))).toEqual(texts(4, 7))
            return yield* Effect.fail("the user's work failed")
          })
        )
        expect(yield* errorOf(broken)).toBe("the user's work failed")
        const second = yield* Consumer.make({ leader })
        yield* second.joinConsumerGroup("billing")
        yield* second.subscribe("orders")
        expect(yield* take(second, 6)).toEqual(texts(4, 10))
      })
    ))

  test("gets a partition that is added later from its first message on", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* newTopic("orders", 1)
        const consumer = yield* Consumer.make({ leader })
        yield* consumer.joinConsumerGroup("billing")
        yield* consumer.subscribe("orders")
        yield* assigned([consumer], [1])
        yield* addPartitions(yield* makeClient({ leader }), "orders", 5)
        yield* produce("orders", texts(0, 50))
        expect(sorted(yield* take(consumer, 50))).toEqual(texts(0, 50))
      })
    ))

  test("what it may not do", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* newTopic("orders", 1)
        const consumer = yield* Consumer.make({ leader, unknownTopicTimeoutMs: 200 })
        expect(yield* errorOf(consumer.poll())).toMatchObject({ _tag: "NotSubscribed" })
        expect(yield* errorOf(consumer.commit)).toMatchObject({ _tag: "WrongState" })
        yield* consumer.joinConsumerGroup("billing")
        expect(yield* errorOf(consumer.poll())).toMatchObject({ _tag: "NotSubscribed" })
        expect(yield* errorOf(consumer.joinConsumerGroup("other"))).toMatchObject({ _tag: "WrongState" })
        expect(yield* errorOf(consumer.subscribe("nowhere"))).toMatchObject({ _tag: "UnknownTopic", topic: "nowhere" })
        yield* consumer.subscribe("orders")
        expect(yield* errorOf(consumer.assign([{ topic: "orders", partition: 0, at: "earliest" }]))).toMatchObject({ _tag: "WrongState" })
        const refused = yield* Consumer.make({ leader })
        yield* refused.joinConsumerGroup("billing", { sessionTimeoutMs: 10 })
        yield* refused.subscribe("orders")
        expect(yield* errorOf(Effect.forever(refused.poll()))).toMatchObject({ _tag: "GroupRefused", error: "INVALID_SESSION_TIMEOUT" })
      })
    ))

  test("unsubscribes: nothing of that topic is handed out any more, and a new subscription begins anew", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* newTopic("orders", 2)
        yield* newTopic("bills", 2)
        const consumer = yield* Consumer.make({ leader })
        yield* consumer.joinConsumerGroup("billing")
        yield* consumer.subscribe("orders", "bills")
        yield* assigned([consumer], [4])
        yield* consumer.unsubscribe("orders")
        yield* produce("orders", ["1"])
        yield* produce("bills", ["2"])
        expect(yield* take(consumer, 1)).toEqual(["2"])
        expect(yield* consumer.subscription).toEqual(["bills"])
        yield* assigned([consumer], [2])
      })
    ))
})

describe("two members of a group", () => {
  test("share the partitions; a leaving one gives its share back; each message goes to one of them (G1)", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* newTopic("orders", 6)
        const [one, two] = [yield* Consumer.make({ leader }), yield* Consumer.make({ leader })]
        const got: Array<string> = []
        yield* one.joinConsumerGroup("billing")
        yield* one.subscribe("orders")
        yield* busy(one, (text) => got.push(text))
        const members = yield* busyJoin(two, (text) => got.push(text))
        yield* assigned([one, two], [3, 3])
        yield* produce("orders", texts(0, 300))
        while (got.length < 300) yield* Effect.sleep(50)
        expect(sorted(got)).toEqual(texts(0, 300))
        yield* Fiber.interrupt(members)
        yield* two.leaveConsumerGroup
        yield* assigned([one], [6])
        yield* produce("orders", texts(300, 400))
        while (got.length < 400) yield* Effect.sleep(50)
        expect(sorted(got)).toEqual(texts(0, 400))
      })
    ))
  const busyJoin = (consumer: ConsumerService, note: (text: string) => void) =>
    Effect.gen(function* () {
      yield* consumer.joinConsumerGroup("billing")
      yield* consumer.subscribe("orders")
      return yield* busy(consumer, note)
    })

  test("one that falls silent loses its partitions when its session ends, and hands out nothing of them after that", () =>
    withCluster((cluster) =>
      Effect.gen(function* () {
        yield* newTopic("orders", 4)
        const one = yield* Consumer.make({ leader })
        yield* one.joinConsumerGroup("billing")
        yield* one.subscribe("orders")
        yield* assigned([one], [4])
        // From a host of its own, which is then cut off from the leader and from the broker that coordinates the group, but not from the other broker.
        const cutOff = yield* Consumer.make({ leader }).pipe(Effect.provide(cluster.network.layer("island")))
        yield* cutOff.joinConsumerGroup("billing")
        yield* cutOff.subscribe("orders")
        yield* Effect.forkScoped(Effect.forever(Effect.ignore(one.poll())))
        yield* assigned([one, cutOff], [2, 2])
        cluster.network.cut("island", "leader")
        cluster.network.cut("island", `broker${1 + streamOf(groupId("billing"), 2)}`)
        yield* Effect.sleep(30_000)
        yield* assigned([one, cutOff], [4, 0])
        yield* produce("orders", texts(0, 40))
        expect(yield* cutOff.poll({ timeoutMs: 3000 })).toEqual([])
        cluster.network.heal()
        yield* Effect.forkScoped(Effect.forever(Effect.ignore(cutOff.poll())))
        yield* assigned([one, cutOff], [2, 2])
      })
    ))

  test("a member waits for its caller before it revokes partitions, so that no other member gets the messages in hand", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* newTopic("orders", 2)
        const [slow, next] = [yield* Consumer.make({ leader }), yield* Consumer.make({ leader })]
        yield* slow.joinConsumerGroup("billing")
        yield* slow.subscribe("orders")
        yield* produce("orders", texts(0, 20))
        const inHand = yield* take(slow, 20)
        yield* next.joinConsumerGroup("billing")
        yield* next.subscribe("orders")
        const others: Array<string> = []
        yield* busy(next, (text) => others.push(text))
        yield* Effect.sleep(10_000)
        expect(yield* next.positions).toEqual([])
        yield* Effect.forkScoped(Effect.forever(slow.poll()))
        yield* assigned([slow, next], [1, 1])
        yield* Effect.sleep(3000)
        expect(others).toEqual([])
        expect(sorted(inHand)).toEqual(texts(0, 20))
      })
    ))

  test("a static member that rejoins within its session keeps its partitions, without a rebalance", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* newTopic("orders", 2)
        const one = yield* Consumer.make({ leader })
        yield* one.joinConsumerGroup("billing")
        yield* one.subscribe("orders")
        yield* Effect.forkScoped(Effect.forever(one.poll()))
        const asStatic = Effect.gen(function* () {
          const consumer = yield* Consumer.make({ leader })
          yield* consumer.joinConsumerGroup("billing", { instanceId: "till-2", sessionTimeoutMs: 30_000 })
          yield* consumer.subscribe("orders")
          yield* Effect.forkScoped(Effect.forever(consumer.poll()))
          yield* assigned([consumer], [1])
          return (yield* consumer.positions).map(({ partition }) => partition)
        })
        const before = yield* Effect.scoped(asStatic)
        const mine = (yield* one.positions).map(({ partition }) => partition)
        yield* Effect.sleep(5000)
        expect((yield* one.positions).map(({ partition }) => partition)).toEqual(mine)
        expect(yield* Effect.scoped(asStatic)).toEqual(before)
      })
    ))
})

describe("typed records", () => {
  const Order = Schema.Struct({ id: Schema.String, cents: Schema.Int })
  const orders = Topic.make("orders", { key: Schema.String, value: Order })

  test("what is acknowledged is committed, and the rest is read again by the next (G7)", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* newTopic("orders", 1)
        const producer = yield* Producer.make({ leader })
        const read = (count: number, ack: (cents: number) => boolean) =>
          records(orders, { group: "billing" }).pipe(
            Stream.tap((record) => (ack(record.value.cents) ? record.ack : Effect.void)),
            Stream.take(count),
            Stream.runCollect,
            Effect.map((all) => [...all].map(({ value }) => value.cents)),
            Effect.provide(Consumer.layer({ leader, from: "earliest" }))
          )
        for (const cents of [0, 1, 2, 3, 4, 5]) yield* producer.send(orders, "customer-7", { id: `o-${cents}`, cents })
        expect(yield* read(5, (cents) => cents !== 3)).toEqual([0, 1, 2, 3, 4])
        expect(yield* read(3, () => true)).toEqual([3, 4, 5])
      })
    ))

  test("a message that is not what the schema says ends the stream, behind those before it", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* newTopic("orders", 1)
        const producer = yield* Producer.make({ leader })
        yield* producer.send(orders, "a", { id: "1", cents: 1 })
        yield* producer.sendMessage("orders", "no JSON", { key: "b" })
        const seen: Array<number> = []
        const failed = yield* records(orders, { group: "billing" }).pipe(
          Stream.runForEach(({ value }) => Effect.sync(() => seen.push(value.cents))),
          Effect.provide(Consumer.layer({ leader, from: "earliest" })),
          errorOf
        )
        expect(failed).toMatchObject({ _tag: "Undecodable", topic: "orders", partition: 0, offset: 1, part: "value" })
        expect(seen).toEqual([1])
        expect(yield* errorOf(producer.send(orders, "a", { id: "1", cents: 1.5 }))).toMatchObject({ _tag: "ParseError" })
      })
    ))
})

describe("when nodes stop", () => {
  test("a broker that restarts is read from where the consumer was (L8)", () =>
    withCluster((cluster) =>
      Effect.gen(function* () {
        yield* newTopic("orders", 4)
        const consumer = yield* Consumer.make({ leader })
        const producer = yield* Producer.make({ leader })
        yield* consumer.joinConsumerGroup("billing")
        yield* consumer.subscribe("orders")
        const send = (from: number, to: number) =>
          Effect.forEach(texts(from, to), (value) => producer.sendMessage("orders", value, { key: value }), { concurrency: "unbounded" })
        yield* send(0, 40)
        const got = yield* take(consumer, 40)
        yield* cluster.stop("broker1")
        const sending = yield* Effect.fork(send(40, 80))
        yield* Effect.sleep(5000)
        yield* cluster.startBroker(1)
        yield* Fiber.join(sending)
        got.push(...(yield* take(consumer, 40)))
        expect(sorted(got)).toEqual(texts(0, 80))
        expect(yield* consumer.poll()).toEqual([])
      })
    ))

  test("a group outlives its leader: members stay, offsets stay, and each message goes to one of them (G1, G4)", () =>
    withCluster((cluster) =>
      Effect.gen(function* () {
        yield* newTopic("orders", 4)
        const producer = yield* Producer.make({ leader })
        const [one, two] = [yield* Consumer.make({ leader }), yield* Consumer.make({ leader })]
        const got: Array<string> = []
        for (const consumer of [one, two]) {
          yield* consumer.joinConsumerGroup("billing")
          yield* consumer.subscribe("orders")
          yield* busy(consumer, (text) => got.push(text))
        }
        yield* assigned([one, two], [2, 2])
        const send = (from: number, to: number) =>
          Effect.forEach(texts(from, to), (value) => producer.sendMessage("orders", value, { key: value }), { concurrency: "unbounded" })
        yield* send(0, 50)
        while (got.length < 50) yield* Effect.sleep(50)
        yield* cluster.stop("leader")
        yield* send(50, 100)
        yield* Effect.sleep(4000)
        yield* cluster.startLeader
        yield* send(100, 150)
        while (got.length < 150) yield* Effect.sleep(50)
        yield* Effect.sleep(20_000)
        yield* assigned([one, two], [2, 2])
        yield* send(150, 200)
        while (got.length < 200) yield* Effect.sleep(50)
        expect(sorted(got)).toEqual(texts(0, 200))
      })
    ))

  test("one that leaves while no node coordinates the group is a single member when it joins again", () =>
    withCluster((cluster) =>
      Effect.gen(function* () {
        yield* newTopic("orders", 2)
        const consumer = yield* Consumer.make({ leader, from: "earliest", closeTimeoutMs: 1000, commitIntervalMs: "never" })
        const session = { sessionTimeoutMs: 6000, rebalanceTimeoutMs: 6000 }
        yield* consumer.joinConsumerGroup("billing", session)
        yield* consumer.subscribe("orders")
        yield* produce("orders", texts(0, 10))
        expect(sorted(yield* take(consumer, 10))).toEqual(texts(0, 10))
        yield* cluster.stop("leader")
        yield* consumer.leaveConsumerGroup
        yield* cluster.startLeader
        yield* consumer.joinConsumerGroup("billing", session)
        // The session of the membership that could not be ended runs out first.
        yield* Effect.sleep(30_000)
        yield* assigned([consumer], [2])
        const admin = yield* Admin.make({ leader })
        expect(yield* admin.describeGroup("billing")).toMatchObject({ state: "Stable", members: [{}] })
      })
    ))
})
