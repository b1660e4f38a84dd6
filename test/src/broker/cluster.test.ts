import { describe, expect, test } from "bun:test"
import { Effect, Either, Fiber } from "effect"
import { topicByName } from "../../../domain/cluster/state.ts"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import { readableBatches } from "../../../domain/log/batch.ts"
import { freePort } from "../../../scripts/bench/port.ts"
import { Produce } from "../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import { Metadata } from "../../../src/protocol/message/03-metadata.ts"
import { ListGroups } from "../../../src/protocol/message/16-list-groups.ts"
import { DeleteTopics } from "../../../src/protocol/message/20-delete-topics.ts"
import { InitProducerId } from "../../../src/protocol/message/22-init-producer-id.ts"
import type { Link } from "../../../src/wire/link.ts"
import { createTopic, newDisk, running, worlds } from "./cluster-support.ts"
import { batch, sequenced, until } from "./support.ts"

const send = (link: Link, records: Uint8Array, acks = -1, topic = "orders") =>
  link
    .call(Produce, { acks, timeoutMs: 60_000, topicData: [{ name: topic, partitionData: [{ index: 0, records }] }] }, { version: 12 })
    .pipe(Effect.map(({ responses }) => responses[0]?.partitionResponses[0]))
const receive = (link: Link, from: number, maxWaitMs = 0, topic = "orders") =>
  link
    .call(
      Fetch,
      { maxWaitMs, minBytes: 1, topics: [{ topic, partitions: [{ partition: 0, fetchOffset: BigInt(from), partitionMaxBytes: 1_000_000 }] }] },
      { version: 12 }
    )
    .pipe(Effect.map(({ responses }) => responses[0]?.partitions[0]))
const offsets = (records: Uint8Array | null | undefined) => Either.getOrThrow(readableBatches(records ?? new Uint8Array(0))).map(({ baseOffset }) => baseOffset)
/** Repeats a call until its response has no error. */
const serving = <A extends { readonly errorCode: number } | undefined, E>(call: Effect.Effect<A, E>) =>
  Effect.repeat(
    Effect.tap(call, (answer) => (answer?.errorCode === 0 ? Effect.void : Effect.sleep("5 millis"))),
    {
      until: (answer) => answer?.errorCode === 0,
      times: 4000
    }
  )

describe.each(worlds)("leader and broker over %s", (_, make) => {
  const { brokerOn, leaderOn, linkTo } = make()
  test("a topic that was created through the broker: Produce, a waiting Fetch, InitProducerId and DeleteTopics work", () =>
    running(
      Effect.gen(function* () {
        const leader = yield* leaderOn(newDisk())
        const broker = yield* brokerOn(newDisk(), 1, leader.it.address)
        yield* broker.it.ready
        const client = yield* linkTo(broker.it.address)
        expect(yield* createTopic(client, "orders")).toBe(0)
        expect(yield* createTopic(client, "orders")).toBe(errorCode("TOPIC_ALREADY_EXISTS"))
        expect(yield* serving(send(client, batch(["a", "b"])))).toMatchObject({ errorCode: 0, baseOffset: 0n })
        const other = yield* linkTo(broker.it.address)
        const waiting = yield* Effect.fork(receive(other, 2, 20_000))
        yield* Effect.sleep("10 millis")
        yield* send(client, batch(["c"]), 1)
        expect(offsets((yield* Fiber.join(waiting))?.records)).toEqual([2])
        expect(offsets((yield* receive(client, 0))?.records)).toEqual([0, 2])
        const ids = yield* Effect.forEach([1, 2, 3], () => client.call(InitProducerId, { transactionalId: null, transactionTimeoutMs: 0 }))
        expect(new Set(ids.map(({ producerId }) => producerId)).size).toBe(3)
        expect(ids.every(({ producerEpoch, errorCode: error }) => error === 0 && producerEpoch === 0)).toBe(true)
        expect(yield* client.call(ListGroups, {})).toMatchObject({ errorCode: 0, groups: [] })
        const gone = yield* client.call(DeleteTopics, { topics: [{ name: "orders", topicId: "AAAAAAAAAAAAAAAAAAAAAA" }], timeoutMs: 60_000 })
        expect(gone.responses[0]?.errorCode).toBe(0)
        yield* until(() => topicByName(broker.it.cluster(), "orders") === undefined)
        expect((yield* receive(client, 0))?.errorCode).toBe(errorCode("UNKNOWN_TOPIC_OR_PARTITION"))
      })
    ))

  test("Metadata for an unknown topic makes the leader create it", () =>
    running(
      Effect.gen(function* () {
        const leader = yield* leaderOn(newDisk())
        const broker = yield* brokerOn(newDisk(), 1, leader.it.address)
        yield* broker.it.ready
        const client = yield* linkTo(broker.it.address)
        const ask = client.call(Metadata, { topics: [{ name: "fresh" }], allowAutoTopicCreation: true })
        const answer = yield* ask
        expect(answer.topics[0]).toMatchObject({ errorCode: 0, name: "fresh", partitions: [{ leaderId: 1 }] })
        expect(answer.brokers.map(({ nodeId }) => nodeId)).toEqual([1])
        const no = yield* client.call(Metadata, { topics: [{ name: "no/way" }, { name: "absent" }], allowAutoTopicCreation: false })
        expect(no.topics.map(({ errorCode: error }) => error)).toEqual([errorCode("INVALID_TOPIC_EXCEPTION"), errorCode("UNKNOWN_TOPIC_OR_PARTITION")])
      })
    ))

  test("L1, L4: after a power cut a broker has the acknowledged records, and recognizes a repeated batch", () =>
    running(
      Effect.gen(function* () {
        const leader = yield* leaderOn(newDisk())
        const disk = newDisk()
        const first = yield* brokerOn(disk, 1, leader.it.address, yield* Effect.promise(freePort))
        yield* first.it.ready
        const client = yield* linkTo(first.it.address)
        yield* createTopic(client, "orders")
        yield* serving(send(client, sequenced(["a", "b"], 7n, 0)))
        yield* send(client, sequenced(["c"], 7n, 2))
        yield* send(client, sequenced(["unsynced"], 7n, 3), 1)
        disk.crash(() => 0)
        yield* first.stop
        const second = yield* brokerOn(disk, 1, leader.it.address, first.it.address.port)
        yield* second.it.ready
        const again = yield* linkTo(second.it.address)
        expect(yield* serving(send(again, sequenced(["c"], 7n, 2)))).toMatchObject({ errorCode: 0, baseOffset: 2n })
        expect(yield* receive(again, 0)).toMatchObject({ errorCode: 0, highWatermark: 3n })
        expect(yield* send(again, sequenced(["d"], 7n, 3))).toMatchObject({ errorCode: 0, baseOffset: 3n })
      })
    ))

  test("leader stopped: the broker serves Produce and Fetch, and refuses what needs the leader; after a restart everything works", () =>
    running(
      Effect.gen(function* () {
        const disk = newDisk()
        const first = yield* leaderOn(disk, yield* Effect.promise(freePort))
        const broker = yield* brokerOn(newDisk(), 1, first.it.address)
        yield* broker.it.ready
        const client = yield* linkTo(broker.it.address)
        yield* createTopic(client, "orders")
        yield* serving(send(client, batch(["a"])))
        yield* first.stop
        expect(yield* send(client, batch(["b"]))).toMatchObject({ errorCode: 0, baseOffset: 1n })
        expect(yield* createTopic(client, "payments")).toBe(errorCode("NOT_CONTROLLER"))
        yield* leaderOn(disk, first.it.address.port)
        yield* Effect.repeat(
          Effect.tap(createTopic(client, "payments"), () => Effect.sleep("10 millis")),
          { until: (error) => error !== errorCode("NOT_CONTROLLER"), times: 2000 }
        )
        expect(yield* serving(send(client, batch(["a"]), -1, "payments"))).toMatchObject({ errorCode: 0, baseOffset: 0n })
        expect(yield* send(client, batch(["c"]))).toMatchObject({ errorCode: 0, baseOffset: 2n })
      })
    ))
})

describe.each(worlds)("nodes that do not match, over %s", (_, make) => {
  const { brokerOn, leaderOn, linkTo } = make()
  test("a broker that starts before its leader joins when the leader listens", () =>
    running(
      Effect.gen(function* () {
        const disk = newDisk()
        const leader = yield* leaderOn(disk, yield* Effect.promise(freePort))
        const { address } = leader.it
        yield* leader.stop
        const broker = yield* brokerOn(newDisk(), 1, address)
        const client = yield* linkTo(broker.it.address)
        expect((yield* receive(client, 0))?.errorCode).toBe(errorCode("UNKNOWN_TOPIC_OR_PARTITION"))
        yield* leaderOn(disk, address.port)
        yield* broker.it.ready
      })
    ))

  test("a data directory of another cluster: the broker stops with a fault", () =>
    running(
      Effect.gen(function* () {
        const disk = newDisk()
        const leader = yield* leaderOn(newDisk())
        const other = yield* leaderOn(newDisk())
        const broker = yield* brokerOn(disk, 1, leader.it.address)
        yield* broker.it.ready
        yield* broker.stop
        const moved = yield* brokerOn(disk, 1, other.it.address)
        const fault = yield* Effect.flip(moved.it.failed)
        expect(fault.kind).toBe("foreign cluster")
        expect(fault.message).toContain(leader.it.clusterId)
      })
    ))

  test("two brokers with one id: the second is unfenced when the first has stopped", () =>
    running(
      Effect.gen(function* () {
        const leader = yield* leaderOn(newDisk())
        const first = yield* brokerOn(newDisk(), 1, leader.it.address)
        yield* first.it.ready
        const second = yield* brokerOn(newDisk(), 1, leader.it.address)
        const ready = yield* Effect.fork(second.it.ready)
        yield* Effect.sleep("300 millis")
        expect(ready.unsafePoll()).toBeNull()
        yield* first.stop
        yield* Fiber.join(ready)
      })
    ))

  test("a clean shutdown is reported to the leader at once: clients do not wait for the session to expire", () =>
    running(
      Effect.gen(function* () {
        const leader = yield* leaderOn(newDisk())
        const broker = yield* brokerOn(newDisk(), 1, leader.it.address)
        yield* broker.it.ready
        yield* broker.stop
        expect([...leader.it.cluster().brokers].map(([id, { fenced }]) => [id as number, fenced])).toEqual([[1, true]])
      })
    ))
})
