import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import { Produce } from "../../../src/protocol/message/00-produce.ts"
import { ApiVersions } from "../../../src/protocol/message/18-api-versions.ts"
import { AlterReplicaLogDirs } from "../../../src/protocol/message/34-alter-replica-log-dirs.ts"
import { DescribeLogDirs } from "../../../src/protocol/message/35-describe-log-dirs.ts"
import { DescribeQuorum } from "../../../src/protocol/message/55-describe-quorum.ts"
import { DescribeProducers } from "../../../src/protocol/message/61-describe-producers.ts"
import type { Link } from "../../../src/wire/link.ts"
import { createTopic, newDisk, running, worlds } from "./cluster-support.ts"
import { batch, sequenced } from "./support.ts"

const { brokerOn, leaderOn, linkTo } = (worlds[1] as (typeof worlds)[number])[1]()

/** Starts a leader, and a broker in another process that leads `orders-0`. */
const cluster = Effect.gen(function* () {
  const leader = yield* leaderOn(newDisk())
  const broker = yield* brokerOn(newDisk(), 1, leader.it.address)
  yield* broker.it.ready
  const client = yield* linkTo(broker.it.address)
  expect(yield* createTopic(client, "orders")).toBe(0)
  yield* Effect.repeat(
    Effect.tap(produce(client, batch(["a"])), (error) => (error === 0 ? Effect.void : Effect.sleep("5 millis"))),
    { until: (error) => error === 0, times: 4000 }
  )
  return { leader: leader.it, broker, client, direct: yield* linkTo(leader.it.address) }
})
const produce = (link: Link, records: Uint8Array) =>
  link
    .call(Produce, { acks: -1, timeoutMs: 5000, topicData: [{ name: "orders", partitionData: [{ index: 0, records }] }] }, { version: 12 })
    .pipe(Effect.map(({ responses }) => responses[0]?.partitionResponses[0]?.errorCode))

const quorum = (link: Link) =>
  Effect.map(
    link.call(DescribeQuorum, { topics: [{ topicName: "__cluster_metadata", partitions: [{ partitionIndex: 0 }] }] }),
    ({ topics }) => topics[0]?.partitions[0]
  )

describe("administrative requests to a cluster whose leader is no broker", () => {
  test("DescribeQuorum: the leader is the voter, the broker an observer that catches up; the broker relays the request", () =>
    running(
      Effect.gen(function* () {
        const { client, direct, leader } = yield* cluster
        const caughtUp = yield* Effect.repeat(Effect.zipLeft(quorum(client), Effect.sleep("5 millis")), {
          until: (partition) => partition?.observers[0]?.logEndOffset === partition?.highWatermark,
          times: 4000
        })
        const end = BigInt(leader.writer.end())
        expect(caughtUp).toMatchObject({ leaderId: 100, leaderEpoch: leader.writer.epoch, highWatermark: end })
        expect(caughtUp?.currentVoters).toMatchObject([{ replicaId: 100, logEndOffset: end }])
        expect(caughtUp?.observers).toMatchObject([{ replicaId: 1, logEndOffset: end }])
        expect((caughtUp?.observers[0]?.lastCaughtUpTimestamp ?? 0n) > 0n).toBe(true)
        expect((yield* quorum(direct))?.currentVoters).toMatchObject([{ replicaId: 100 }])
      })
    ))

  test("DescribeProducers: only the broker that leads the partition answers", () =>
    running(
      Effect.gen(function* () {
        const { client, direct } = yield* cluster
        expect(yield* produce(client, sequenced(["a", "b"], 77n, 0, 4))).toBe(0)
        const ask = (link: Link, name = "orders") =>
          Effect.map(link.call(DescribeProducers, { topics: [{ name, partitionIndexes: [0, 0] }] }), ({ topics }) => topics[0]?.partitions)
        expect(yield* ask(client)).toMatchObject([
          { errorCode: 0, activeProducers: [{ producerId: 77n, producerEpoch: 4, lastSequence: 1, lastTimestamp: 1_700_000_000_001n }] }
        ])
        expect(yield* ask(direct)).toMatchObject([{ errorCode: errorCode("NOT_LEADER_OR_FOLLOWER"), activeProducers: [] }])
        expect(yield* ask(direct, "nowhere")).toMatchObject([{ errorCode: errorCode("UNKNOWN_TOPIC_OR_PARTITION") }])
      })
    ))

  test("AlterReplicaLogDirs accepts the directory in which a log is and refuses any other; the leader has none", () =>
    running(
      Effect.gen(function* () {
        const { client, direct } = yield* cluster
        const path = (yield* client.call(DescribeLogDirs, { topics: null })).results[0]?.logDir ?? ""
        const move = (link: Link, to: string) =>
          Effect.map(
            link.call(AlterReplicaLogDirs, { dirs: [{ path: to, topics: [{ name: "orders", partitions: [0] }] }] }),
            ({ results }) => results[0]?.partitions[0]?.errorCode
          )
        expect(yield* move(client, path)).toBe(0)
        expect(yield* move(client, `${path}-2`)).toBe(errorCode("LOG_DIR_NOT_FOUND"))
        expect(yield* move(direct, path)).toBe(errorCode("LOG_DIR_NOT_FOUND"))
      })
    ))

  test("broker and leader advertise the same administrative APIs, and none that is not implemented", () =>
    running(
      Effect.gen(function* () {
        const { client, direct } = yield* cluster
        const keys = (link: Link) =>
          Effect.map(
            link.call(ApiVersions, { clientSoftwareName: "test", clientSoftwareVersion: "1" }),
            ({ apiKeys }) => new Set(apiKeys.map(({ apiKey }) => apiKey))
          )
        for (const advertised of [yield* keys(client), yield* keys(direct)]) {
          for (const key of [17, 29, 30, 31, 34, 36, 38, 39, 40, 41, 43, 45, 46, 48, 49, 50, 51, 55, 57, 61, 65, 66, 75, 80, 81])
            expect([key, advertised.has(key)]).toEqual([key, true])
          for (const key of [24, 25, 26, 28, 68, 69, 71, 72, 76]) expect([key, advertised.has(key)]).toEqual([key, false])
        }
      })
    ))
})
