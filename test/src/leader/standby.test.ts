import { describe, expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import type { Txn } from "../../../adapters/journal/etcd/client.ts"
import { metadataTopic, metadataTopicId } from "../../../domain/cluster/topic/name.ts"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { requestFrame } from "../../../src/protocol/codec/frame.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import { Metadata } from "../../../src/protocol/message/03-metadata.ts"
import { OffsetFetch } from "../../../src/protocol/message/09-offset-fetch.ts"
import { JoinGroup } from "../../../src/protocol/message/11-join-group.ts"
import { DeleteTopics } from "../../../src/protocol/message/20-delete-topics.ts"
import { ListPartitionReassignments } from "../../../src/protocol/message/46-list-partition-reassignments.ts"
import { DescribeQuorum } from "../../../src/protocol/message/55-describe-quorum.ts"
import { Envelope } from "../../../src/protocol/message/58-envelope.ts"
import { DescribeCluster } from "../../../src/protocol/message/60-describe-cluster.ts"
import { ControllerRegistration } from "../../../src/protocol/message/70-controller-registration.ts"
import { createTopics } from "../groups/support.ts"
import { CandidatesWorld, leaseMs } from "./candidates-world.ts"
import { heartbeat, joined, register } from "./support.ts"

/** Candidate 100, which leads, and 101, which stands by. */
const two = Effect.fnUntraced(function* (world: CandidatesWorld) {
  const first = yield* world.candidate(100)
  yield* world.until("100 leads", () => first.role()?.isLeading === true && first.role().cluster().leader !== undefined)
  const second = yield* world.candidate(101)
  yield* world.until("101 stands by", () => second.role()?.routes.length > 0)
  return { first, second }
})
const journalFrom = (offset: number) => ({
  maxWaitMs: 0,
  minBytes: 1,
  maxBytes: 1_000_000,
  topics: [{ topic: metadataTopic, topicId: metadataTopicId, partitions: [{ partition: 0, fetchOffset: BigInt(offset), partitionMaxBytes: 1_000_000 }] }]
})
const ofJournal = { topics: [{ topicName: metadataTopic, partitions: [{ partitionIndex: 0 }] }] }

describe("given a candidate that stands by", () => {
  test("when clients and brokers ask it, then it names the brokers and the leader, and refuses brokers", () => {
    const world = new CandidatesWorld()
    return world.run(
      Effect.gen(function* () {
        const { first, second } = yield* two(world)
        const broker = yield* world.link(first.address, "broker-1")
        yield* joined(broker, 1)
        yield* createTopics(broker, ["orders", 3])
        yield* world.until("101 has the topic", () => second.role().cluster().index === first.role().cluster().index)
        const client = yield* world.link(second.address)

        const metadata = yield* client.call(Metadata, { topics: null })
        expect([metadata.controllerId, metadata.brokers.map(({ nodeId }) => nodeId), metadata.topics.map(({ name }) => name)]).toEqual([1, [1], ["orders"]])
        const controllers = yield* client.call(DescribeCluster, { includeClusterAuthorizedOperations: false, endpointType: 2 })
        expect([controllers.controllerId, controllers.brokers]).toMatchObject([100, [{ brokerId: 100, host: "candidate-100", port: 9092 }]])

        const fetched = yield* client.call(Fetch, journalFrom(0))
        const partition = fetched.responses[0]?.partitions[0]
        expect(kafkaError(partition?.errorCode ?? 0)).toBe("NOT_LEADER_OR_FOLLOWER")
        expect(partition?.currentLeader).toMatchObject({ leaderId: 100, leaderEpoch: first.role().cluster().leader?.epoch })
        expect(fetched.nodeEndpoints).toMatchObject([{ nodeId: 100, host: "candidate-100", port: 9092 }])

        expect(kafkaError((yield* register(client, 1)).errorCode)).toBe("NOT_CONTROLLER")
        expect(kafkaError((yield* heartbeat(client, 1, 1n)).errorCode)).toBe("NOT_CONTROLLER")
      })
    )
  })

  test("when a client changes the cluster through it, then the leader decides, in the client's name; without a leader the client is told to try again", () => {
    const world = new CandidatesWorld()
    return world.run(
      Effect.gen(function* () {
        const { first, second } = yield* two(world)
        const broker = yield* world.link(first.address, "broker-1")
        yield* joined(broker, 1)
        // Until the leader has taken a report of 101.
        yield* Effect.sleep(3000)
        const client = yield* world.link(second.address)
        expect(yield* createTopics(client, ["orders", 3])).toMatchObject({ topics: [{ name: "orders", errorCode: 0, numPartitions: 3 }] })
        expect(yield* createTopics(client, ["orders", 3])).toMatchObject({ topics: [{ errorCode: 36 }] })
        // All versions pass as they came.
        const deletion = { topicNames: ["orders"], timeoutMs: 1000 }
        expect(yield* client.call(DeleteTopics, deletion, { version: 1 })).toMatchObject({ responses: [{ name: "orders", errorCode: 0 }] })
        yield* world.until("101 has both events", () => second.role().cluster().index === first.role().cluster().index)
        const { responses } = yield* broker.call(Fetch, journalFrom(0))
        const journalled = new TextDecoder("latin1").decode(responses[0]?.partitions[0]?.records ?? undefined)
        expect(journalled).toContain("0.0.0.0 by candidate 101")

        world.etcd.hasQuorum = false
        yield* world.until("100 leads no more", () => !first.role().isLeading)
        const refused = yield* createTopics(client, ["more", 1])
        expect(refused).toMatchObject({ topics: [{ errorCode: 41 }] })
        expect(refused.topics[0]?.errorMessage).toContain("does not reach it")
      })
    )
  })

  test("when a stranger sends Envelopes to the leader, then they are refused; a candidate's are not, and it may ask nothing else that only brokers may", () => {
    const world = new CandidatesWorld()
    return world.run(
      Effect.gen(function* () {
        const { first } = yield* two(world)
        const link = yield* world.link(first.address, "stranger")
        const request = Buffer.concat(
          requestFrame(ListPartitionReassignments, 0, { correlationId: 1, clientId: "stranger" }, { timeoutMs: 0, topics: null })
        ).subarray(4)
        const envelope = { requestData: request, requestPrincipal: null, clientHostAddress: new Uint8Array(4) }
        const sent = Effect.map(link.call(Envelope, envelope), ({ errorCode, responseData }) => [kafkaError(errorCode), responseData !== null])
        expect(yield* sent).toEqual(["CLUSTER_AUTHORIZATION_FAILED", false])
        const report = { controllerId: 102, incarnationId: "AAAAAAAAAAAAAAAAAAAAAQ", zkMigrationReady: false, listeners: [], features: [], logEndOffset: 0n }
        expect((yield* link.call(ControllerRegistration, report)).errorCode).toBe(0)
        expect(yield* sent).toEqual(["NONE", true])
        expect(kafkaError((yield* heartbeat(link, 1, 1n)).errorCode)).toBe("CLUSTER_AUTHORIZATION_FAILED")
      })
    )
  })

  test("when it is asked for the quorum, then it has the leader's answer: both are voters, with their ends and addresses", () => {
    const world = new CandidatesWorld()
    return world.run(
      Effect.gen(function* () {
        const { first, second } = yield* two(world)
        yield* Effect.sleep(3000)
        const client = yield* world.link(second.address)
        const { errorCode, nodes, topics } = yield* client.call(DescribeQuorum, ofJournal)
        const partition = topics[0]?.partitions[0]
        const end = BigInt(first.role().cluster().index)
        expect([errorCode, partition?.leaderId, partition?.highWatermark]).toEqual([0, 100, end])
        expect(partition?.currentVoters.map(({ logEndOffset, replicaId }) => [replicaId, logEndOffset])).toEqual([
          [100, end],
          [101, end]
        ])
        expect(world.now - Number(partition?.currentVoters[1]?.lastFetchTimestamp)).toBeLessThanOrEqual(1500)
        for (const version of [0, 1]) {
          const older = yield* client.call(DescribeQuorum, ofJournal, { version })
          expect([version, older.errorCode, older.topics[0]?.partitions[0]?.leaderId]).toEqual([version, 0, 100])
        }
        expect(nodes).toEqual([
          { nodeId: 100, listeners: [{ name: "PLAINTEXT", host: "candidate-100", port: 9092 }] },
          { nodeId: 101, listeners: [{ name: "PLAINTEXT", host: "candidate-101", port: 9092 }] }
        ] as never)
      })
    )
  })

  test("when the leader does not reach etcd, then it takes over with everything, and the former leader closes its connections and points to it", () => {
    const world = new CandidatesWorld()
    return world.run(
      Effect.gen(function* () {
        const { first, second } = yield* two(world)
        const broker = yield* world.link(first.address, "broker-1")
        yield* joined(broker, 1)
        yield* createTopics(broker, ["orders", 3])
        const from = world.now
        world.etcd.stop("candidate-100")
        yield* world.until("101 leads", () => second.role().isLeading && second.role().cluster().leader?.nodeId === 101)
        expect(world.now - from).toBeLessThanOrEqual(leaseMs + 1000)
        expect(first.role().isLeading).toBe(false)
        expect((yield* Effect.flip(broker.call(Metadata, { topics: null })))._tag).toBe("ConnectionLost")
        const client = yield* world.link(second.address)
        expect((yield* client.call(Metadata, { topics: null })).topics.map(({ name }) => name)).toEqual(["orders"])

        world.etcd.resume("candidate-100")
        yield* world.until("100 stands by", () => first.role().routes.length > 0 && first.role().cluster().leader?.nodeId === 101)
        const again = yield* world.link(first.address)
        expect((yield* again.call(Fetch, journalFrom(0))).nodeEndpoints).toMatchObject([{ nodeId: 101 }])
      })
    )
  })

  test("when the process that leads ends without a word, then it takes over before the lease of that process is over", () => {
    const world = new CandidatesWorld()
    return world.run(
      Effect.gen(function* () {
        const { second } = yield* two(world)
        const third = yield* world.candidate(102)
        yield* Effect.sleep(5000)
        world.kill(100)
        const from = world.now
        const leading = () => [second, third].filter((each) => each.role().isLeading && each.role().cluster().leader?.nodeId !== 100)
        yield* world.until("another one leads", () => leading().length > 0)
        expect(world.now - from).toBeLessThan(1500)
        yield* Effect.sleep(2 * leaseMs)
        expect(leading()).toHaveLength(1)
      })
    )
  })

  test("when etcd has no majority for longer than the lease, then a leader stands by until it has one, and leads again", () => {
    const world = new CandidatesWorld()
    return world.run(
      Effect.gen(function* () {
        const only = yield* world.candidate(100)
        yield* world.until("100 leads", () => only.role()?.isLeading === true && only.role().cluster().leader !== undefined)
        const life = yield* Effect.fork(only.stopped)
        const epoch = only.role().cluster().leader?.epoch ?? 0
        world.etcd.hasQuorum = false
        yield* world.until("100 leads no more", () => !only.role().isLeading)
        yield* Effect.sleep(30_000)
        // Brokers and clients are told to wait: a connection that closes without a response would be opened again at once.
        const broker = yield* world.link(only.address, "broker-1")
        expect(kafkaError((yield* register(broker, 1)).errorCode)).toBe("NOT_CONTROLLER")
        world.etcd.hasQuorum = true
        yield* Effect.raceFirst(
          world.until("100 leads again", () => only.role().isLeading && (only.role().cluster().leader?.epoch ?? 0) > epoch),
          Fiber.join(life)
        )
      })
    )
  })

  test("when it wins and the store of etcd takes nothing, then it gives the lead up, tries again after growing pauses, and leads when there is space", () => {
    const world = new CandidatesWorld()
    return world.run(
      Effect.gen(function* () {
        const { first, second } = yield* two(world)
        const broker = yield* world.link(first.address, "broker-1")
        yield* joined(broker, 1)
        yield* createTopics(broker, ["orders", 1])
        const life = yield* Effect.fork(second.stopped)
        const epoch = first.role().cluster().leader?.epoch ?? 0
        const wins: Array<number> = []
        world.etcd.observe = ({ succeeded, txn }) => {
          if (succeeded && txn.then.some((operation) => "put" in operation && operation.put === "/franz/__cluster_metadata/state/leader")) wins.push(world.now)
        }
        // The store is full from the moment on at which a candidate has won: a lease is not granted by a full one.
        const electing = (txn: Txn) => txn.then.some((operation) => "put" in operation && operation.put.includes("__cluster_metadata/e/"))
        for (let nth = 0; nth < 3; nth++) world.etcd.fault(electing, "full")
        world.etcd.stop("candidate-100")
        const led = world.until("101 leads", () => second.role().isLeading && second.role().cluster().leader?.nodeId === 101)
        yield* Effect.raceFirst(led, Fiber.join(life))
        expect(wins.map((ms, nth) => ms - (wins[nth - 1] ?? ms)).map((ms) => Math.round(ms / 500) * 500)).toEqual([0, 500, 1000, 2000])
        expect(second.role().cluster().leader?.epoch).toBe(epoch + 4)
        const client = yield* world.link(second.address)
        expect((yield* client.call(Metadata, { topics: null })).topics.map(({ name }) => name)).toEqual(["orders"])
        world.etcd.resume("candidate-100")
      })
    )
  })

  test("when the streams of groups still have their former holder, then it leads without them, and opens them when that is gone", () => {
    const world = new CandidatesWorld()
    return world.run(
      Effect.gen(function* () {
        const { second } = yield* two(world)
        const holder = "/franz/__group_metadata-0/state/leader"
        world.etcd.stop("candidate-100")
        world.etcd.overwrite(holder, new TextEncoder().encode(JSON.stringify({ nodeId: 100, lease: "another" })))
        yield* world.until("101 leads", () => second.role().isLeading && second.role().cluster().leader?.nodeId === 101)
        const client = yield* world.link(second.address, "broker-1")
        yield* joined(client, 1)
        expect(yield* createTopics(client, ["orders", 1])).toMatchObject({ topics: [{ errorCode: 0 }] })
        const asked = { groupId: "readers", topics: null, groups: [], requireStable: false }
        const fetched = Effect.map(client.call(OffsetFetch, asked, { version: 5 }), ({ errorCode }) => kafkaError(errorCode))
        expect(yield* fetched).toBe("COORDINATOR_LOAD_IN_PROGRESS")
        world.etcd.overwrite(holder, undefined)
        yield* Effect.repeat(Effect.delay(fetched, 100), { until: (error) => error === "NONE", times: 600 })
        expect(yield* fetched).toBe("NONE")
      })
    )
  })

  test("when etcd ends the lease of a stream of groups alone, then the leader opens that stream again", () => {
    const world = new CandidatesWorld()
    return world.run(
      Effect.gen(function* () {
        const only = yield* world.candidate(100)
        yield* world.until("100 leads", () => only.role()?.isLeading === true && only.role().cluster().leader !== undefined)
        const client = yield* world.link(only.address)
        const protocols = [{ name: "range", metadata: new Uint8Array(0) }]
        const asked = {
          groupId: "readers",
          sessionTimeoutMs: 10_000,
          rebalanceTimeoutMs: 10_000,
          memberId: "",
          groupInstanceId: null,
          protocolType: "consumer",
          protocols
        }
        const join = Effect.map(client.call(JoinGroup, asked, { version: 5 }), ({ errorCode }) => kafkaError(errorCode))
        expect(yield* join).toBe("MEMBER_ID_REQUIRED")
        world.etcd.overwrite("/franz/__group_metadata-0/state/leader", undefined)
        const refused = yield* Effect.repeat(Effect.delay(join, 10), { until: (error) => error !== "MEMBER_ID_REQUIRED", times: 1000 })
        expect(refused).toBe("COORDINATOR_LOAD_IN_PROGRESS")
        const served = yield* Effect.repeat(Effect.delay(join, 100), { until: (error) => error === "MEMBER_ID_REQUIRED", times: 600 })
        expect([served, only.role().isLeading]).toEqual(["MEMBER_ID_REQUIRED", true])
      })
    )
  })
})
