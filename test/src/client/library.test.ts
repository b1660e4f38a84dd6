import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Chunk, Config, ConfigProvider, Effect, Either, Layer, Schema, Stream } from "effect"
import { Admin, Consumer, clusterEvents, Producer, records, send, Topic } from "../../../src/programs/library.ts"
import { startCluster, TestCluster } from "../../../src/programs/testing.ts"

const errorOf = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.map(Effect.either(effect), (either) => (Either.isLeft(either) ? either.left : undefined))

describe("the library over TCP", () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>
  beforeAll(async () => {
    cluster = await startCluster({ brokers: 3 })
  })
  afterAll(() => cluster.close())

  test("the twelve lines of the README", async () => {
    const leader = cluster.leader
    const program = Effect.gen(function* () {
      const producer = yield* Producer
      yield* producer.addTopic("orders", { partitions: 6 })
      const consumer = yield* Consumer
      yield* consumer.joinConsumerGroup("billing")
      yield* consumer.subscribe("orders")
      const { partition, offset } = yield* producer.sendMessage("orders", "hello", { key: "customer-7" })
      const [message] = yield* consumer.poll({ timeoutMs: 20_000 })
      return { sent: { partition, offset }, got: { partition: message?.partition, offset: message?.offset, text: message?.text, key: message?.keyText } }
    })
    const { got, sent } = await Effect.runPromise(program.pipe(Effect.provide([Producer.layer({ leader }), Consumer.layer({ leader })])))
    expect(got).toEqual({ ...sent, text: "hello", key: "customer-7" })
  })

  test("every codec: messages are read as they were sent, byte for byte", async () => {
    const values = Array.from({ length: 300 }, (_, at) => `${at} ${"many words ".repeat(at % 40)}`)
    for (const compression of ["none", "gzip", "snappy", "lz4", "zstd"] as const) {
      const topic = `codec-${compression}`
      const program = Effect.gen(function* () {
        const producer = yield* Producer.make({ leader: cluster.bootstrap, compression })
        yield* producer.addTopic(topic, { partitions: 1 })
        yield* Effect.forEach(values, (value) => producer.sendMessage(topic, value), { concurrency: 100 })
        const consumer = yield* Consumer.make({ leader: cluster.bootstrap })
        yield* consumer.assign([{ topic, partition: 0, at: "earliest" }])
        const got: Array<string> = []
        while (got.length < values.length) got.push(...(yield* consumer.poll()).map(({ text }) => text))
        return got
      })
      expect(await Effect.runPromise(Effect.scoped(program))).toEqual(values)
    }
  }, 300_000)

  test("typed topics, from configuration", async () => {
    const orders = Topic.make("typed", { key: Schema.String, value: Schema.Struct({ id: Schema.String, cents: Schema.Int }) })
    const leader = Config.string("FRANZ_LEADER")
    const program = Effect.gen(function* () {
      yield* Effect.flatMap(Admin, (admin) => admin.addTopic("typed", { partitions: 2 }))
      yield* send(orders, "customer-7", { id: "o-1", cents: 4200 })
      return yield* records(orders, { group: "typed" }).pipe(
        Stream.tap(({ ack }) => ack),
        Stream.take(1),
        Stream.runCollect
      )
    })
    const layers = Layer.mergeAll(
      Producer.layerConfig({ leader }),
      Consumer.layerConfig({ leader, from: Config.succeed("earliest" as const) }),
      Admin.layerConfig({ leader })
    )
    const configured = Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["FRANZ_LEADER", cluster.bootstrap]])))
    const got = await Effect.runPromise(program.pipe(Effect.provide(layers), Effect.provide(configured)))
    expect(Chunk.toReadonlyArray(got).map(({ key, value }) => [key, value])).toEqual([["customer-7", { id: "o-1", cents: 4200 }]])
  })

  test("an admin sees topics, groups, nodes and events", async () => {
    const leader = cluster.leader
    const program = Effect.gen(function* () {
      const admin = yield* Admin.make({ leader })
      const producer = yield* Producer.make({ leader })
      yield* admin.addTopic("seen", { partitions: 3, configs: { "segment.bytes": "1048576" } })
      expect(yield* errorOf(admin.addTopic("seen"))).toMatchObject({ _tag: "TopicExists" })
      expect(yield* errorOf(admin.addTopic("bad name"))).toMatchObject({ _tag: "InvalidArgument", call: "addTopic", field: "topic" })
      expect(yield* errorOf(admin.addTopic("many", { replicationFactor: 9 }))).toMatchObject({ _tag: "TopicRefused", error: "INVALID_REPLICATION_FACTOR" })
      expect(yield* errorOf(admin.addTopic("odd", { configs: { "segment.bytes": "much" } }))).toMatchObject({ _tag: "TopicRefused", error: "INVALID_CONFIG" })
      yield* Effect.forEach(["a", "b", "c", "d"], (value) => producer.sendMessage("seen", value, { partition: 1 }))
      const { configs, partitions } = yield* admin.describeTopic("seen")
      expect(partitions.map(({ end, first }) => [first, end])).toEqual([
        [0, 0],
        [0, 4],
        [0, 0]
      ])
      expect(configs.filter(({ isOwn }) => isOwn).map(({ name, value }) => [name, value])).toEqual([["segment.bytes", "1048576"]])
      expect((yield* admin.listTopics()).map(({ name }) => name)).toContain("seen")
      yield* admin.addPartitions("seen", 5)
      expect((yield* admin.describeTopic("seen")).partitions.length).toBe(5)
      expect(yield* errorOf(admin.describeTopic("unseen"))).toMatchObject({ _tag: "UnknownTopic" })

      const consumer = yield* Consumer.make({ leader, from: "earliest" })
      yield* consumer.joinConsumerGroup("watchers")
      yield* consumer.subscribe("seen")
      const got: Array<string> = []
      while (got.length < 4) got.push(...(yield* consumer.poll({ maxRecords: 2 })).map(({ text }) => text))
      yield* consumer.commit
      const group = yield* admin.describeGroup("watchers")
      expect(group).toMatchObject({ state: "Stable", assignor: "range" })
      expect(group.members.map(({ partitions: own, topics }) => [topics, own.length])).toEqual([[["seen"], 5]])
      expect(group.offsets.find(({ partition }) => partition === 1)).toMatchObject({ committed: 4, end: 4, lag: 0 })
      expect((yield* admin.listGroups).map((listed) => listed.group)).toContain("watchers")
      expect(yield* errorOf(admin.deleteGroup("watchers"))).toMatchObject({ _tag: "GroupNotEmpty" })
      yield* consumer.leaveConsumerGroup
      yield* admin.deleteGroup("watchers")
      expect(yield* errorOf(admin.describeGroup("watchers"))).toMatchObject({ _tag: "UnknownGroup" })

      const { clusterId, nodes } = yield* admin.describeCluster
      expect(clusterId.length).toBe(22)
      expect(nodes.map(({ host, port }) => `${host}:${port}`).sort()).toEqual([...cluster.brokers].sort())
      const events = yield* Stream.runCollect(clusterEvents({ leader }))
      const tags = Chunk.toReadonlyArray(events).map(({ text }) => JSON.parse(text)._tag)
      expect(tags[0]).toBe("ClusterFounded")
      expect(tags).toContain("TopicAdded")
      yield* admin.removeTopic("seen")
      expect(yield* errorOf(admin.removeTopic("seen"))).toMatchObject({ _tag: "UnknownTopic" })
    })
    await Effect.runPromise(Effect.scoped(program))
  }, 300_000)
})

test("a cluster as a layer, gone with its scope", async () => {
  const program = Effect.gen(function* () {
    const { leader } = yield* TestCluster
    yield* Effect.scoped(Effect.flatMap(Producer.make({ leader }), (producer) => producer.addTopic("here", { partitions: 1 })))
    return leader
  })
  const leader = await Effect.runPromise(program.pipe(Effect.provide(TestCluster.layer())))
  const gone = await Effect.runPromise(errorOf(Effect.scoped(Producer.make({ leader, retryTimeoutMs: 500 }))))
  expect(gone).toMatchObject({ _tag: "NotReachable", addresses: [leader] })
})
