import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { Admin } from "../../../src/client/admin/admin.ts"
import { Consumer } from "../../../src/client/consumer/consumer.ts"
import { emptyView, updated } from "../../../src/client/metadata/view.ts"
import { Producer } from "../../../src/client/producer/producer.ts"
import { Metadata } from "../../../src/protocol/message/03-metadata.ts"
import { route } from "../../../src/wire/route.ts"
import { leader, withFake } from "./support.ts"

const topicId = "AAAAAAAAAAAAAAAAAAAAzw"
const partition = (partitionIndex: number) => ({
  errorCode: 0,
  partitionIndex,
  leaderId: 0,
  leaderEpoch: 0,
  replicaNodes: [0],
  isrNodes: [0],
  offlineReplicas: []
})
const topic = (name: string, indexes: ReadonlyArray<number>) => ({
  errorCode: 0,
  name,
  topicId,
  isInternal: false,
  partitions: indexes.map(partition),
  topicAuthorizedOperations: 0
})
const answer = (topics: ReadonlyArray<ReturnType<typeof topic>>) => ({
  throttleTimeMs: 0,
  brokers: [{ nodeId: 0, host: "node0", port: 9092, rack: null }],
  clusterId: "fake",
  controllerId: 0,
  topics,
  clusterAuthorizedOperations: 0,
  errorCode: 0
})

describe("a broker that answers nonsense", () => {
  test("partition indexes that leave gaps, repeat or are negative end the list before them", () => {
    const partitionsOf = (indexes: ReadonlyArray<number>) =>
      updated(emptyView, answer([topic("orders", indexes)]), ["orders"], 0)
        .topics.get("orders")
        ?.partitions.map((one) => one.partition)
    expect(partitionsOf([0, 1, 0x7fff_ffff])).toEqual([0, 1])
    expect(partitionsOf([0, 2, 3])).toEqual([0])
    expect(partitionsOf([-1, 0, 1])).toEqual([0, 1])
    expect(partitionsOf([1, 1, 0])).toEqual([0, 1])
    expect(partitionsOf([5])).toEqual([])
  })

  test("topics that the client did not ask for are not kept", () => {
    const many = Array.from({ length: 100_000 }, (_, at) => topic(`t${at}`, [0]))
    const view = updated(emptyView, answer([...many, topic("orders", [0])]), ["orders"], 0)
    expect([...view.topics.keys()]).toEqual(["orders"])
  })

  test("an answer over the bound is an error that names the setting, at once, and seek passes it", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        const producer = yield* Producer.make({ leader })
        yield* producer.sendMessage("orders", "x".repeat(20_000))
        yield* producer.sendMessage("orders", "small")
        const consumer = yield* Consumer.make({ leader, responseBytesMax: 10_000 })
        yield* consumer.assign([{ topic: "orders", partition: 0, at: "earliest" }])
        const error = yield* Effect.flip(consumer.poll({ timeoutMs: 5000 }))
        expect(error).toMatchObject({ _tag: "AnswerTooLarge", what: "Fetch", bytesMax: 10_000 })
        expect(error.message).toContain("responseBytesMax=10000")
        yield* consumer.seek("orders", 0, 1)
        expect((yield* consumer.poll({ timeoutMs: 5000 })).map(({ text }) => text)).toEqual(["small"])
      })
    ))

  test("a cluster description over the bound fails at once, and the client serves other calls", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        const admin = yield* Admin.make({ leader, responseBytesMax: 5000 })
        for (let nth = 0; nth < 300; nth++) fake.add(`topic-with-a-long-name-${nth}`, 1)
        expect(yield* Effect.flip(admin.listTopics())).toMatchObject({ _tag: "AnswerTooLarge", what: "Metadata" })
        expect(yield* Effect.flip(admin.removeTopic("nowhere"))).toMatchObject({ _tag: "UnknownTopic" })
      })
    ))

  test("one that names a thousand nodes at addresses where no process listens costs a call its time, and no more", () =>
    withFake(
      () =>
        Effect.gen(function* () {
          const clock = yield* Effect.clock
          const from = clock.unsafeCurrentTimeMillis()
          const made = Admin.make({ leader, retryTimeoutMs: 5000, connectTimeoutMs: 1000 })
          const error = yield* Effect.flip(Effect.flatMap(Effect.scoped(made), () => Effect.scoped(Effect.flatMap(made, ({ listGroups }) => listGroups))))
          expect(["NotReachable", "RequestTimedOut"]).toContain(error._tag)
          expect(clock.unsafeCurrentTimeMillis() - from).toBeLessThan(15_000)
        }),
      {
        prepare: (fake) => {
          const brokers = Array.from({ length: 1000 }, (_, at) => ({ nodeId: at, host: `nowhere${at}`, port: 9092 }))
          fake.extraRoutes = [route(Metadata, {}, () => ({ brokers, clusterId: "fake", controllerId: 0, errorCode: 0, topics: [] }))]
        }
      }
    ))
})
