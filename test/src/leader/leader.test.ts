import { describe, expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { toSnapshot } from "../../../domain/cluster/snapshot.ts"
import { metadataTopic, metadataTopicId } from "../../../domain/cluster/topic/name.ts"
import { commandIdTag } from "../../../domain/kernel/command-id.ts"
import { errorCode, kafkaError } from "../../../domain/kernel/error-code.ts"
import { zeroTopicId } from "../../../domain/kernel/id.ts"
import { readableBatches } from "../../../domain/log/batch.ts"
import { decodeRecords } from "../../../domain/log/record.ts"
import { decodeResponseFrame, requestFrame } from "../../../src/protocol/codec/frame.ts"
import { Produce } from "../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import { ListOffsets } from "../../../src/protocol/message/02-list-offsets.ts"
import { Metadata } from "../../../src/protocol/message/03-metadata.ts"
import { FindCoordinator } from "../../../src/protocol/message/10-find-coordinator.ts"
import { CreateTopics } from "../../../src/protocol/message/19-create-topics.ts"
import { DeleteTopics } from "../../../src/protocol/message/20-delete-topics.ts"
import { InitProducerId } from "../../../src/protocol/message/22-init-producer-id.ts"
import { DescribeConfigs } from "../../../src/protocol/message/32-describe-configs.ts"
import { CreatePartitions } from "../../../src/protocol/message/37-create-partitions.ts"
import { Envelope } from "../../../src/protocol/message/58-envelope.ts"
import { DescribeCluster } from "../../../src/protocol/message/60-describe-cluster.ts"
import { BrokerHeartbeat } from "../../../src/protocol/message/63-broker-heartbeat.ts"
import { AllocateProducerIds } from "../../../src/protocol/message/67-allocate-producer-ids.ts"
import type { Link } from "../../../src/wire/link.ts"
import { scriptedJournal } from "../stream/scripted-journal.ts"
import { heartbeat, join, link, register, run, start } from "./support.ts"

const wanted = (
  name: string,
  numPartitions = 2,
  more: { replicationFactor?: number; configs?: ReadonlyArray<{ name: string; value: string | null }> } = {}
) => ({
  name,
  numPartitions,
  replicationFactor: more.replicationFactor ?? 1,
  assignments: [],
  configs: more.configs ?? []
})
const commandId = (id: string) => [{ tag: commandIdTag, data: new TextEncoder().encode(id) }]
const create = (to: Link, ...topics: ReadonlyArray<ReturnType<typeof wanted>>) => to.call(CreateTopics, { topics, timeoutMs: 1000 })
const metadataOf = (to: Link, names: ReadonlyArray<string> | null, allowAutoTopicCreation = false, version = 12) =>
  to.call(Metadata, { topics: names?.map((name) => ({ name })) ?? null, allowAutoTopicCreation }, { version })
const errors = (rows: ReadonlyArray<{ readonly errorCode: number }>) => rows.map((row) => kafkaError(row.errorCode))

describe("topics", () => {
  test("created, described, grown, removed", () =>
    run(
      scriptedJournal().layer,
      Effect.gen(function* () {
        const { address } = yield* start()
        const to = yield* link(address)
        yield* join(to, 1)
        yield* join(to, 2)
        const created = yield* create(to, wanted("orders", 4, { configs: [{ name: "segment.bytes", value: "1048576" }] }))
        expect(created.topics[0]).toMatchObject({ name: "orders", errorCode: 0, numPartitions: 4, replicationFactor: 1 })
        expect(created.topics[0]?.configs?.find(({ name }) => name === "segment.bytes")).toMatchObject({ value: "1048576", configSource: 1 })
        const described = yield* metadataOf(to, ["orders"])
        expect(described.topics[0]?.partitions.map(({ leaderId }) => leaderId)).toEqual([1, 2, 1, 2])
        expect(described.topics[0]?.topicId).toBe(created.topics[0]?.topicId as string)
        expect(described.brokers.map(({ nodeId }) => nodeId)).toEqual([1, 2])
        expect(described.controllerId).toBe(1)
        const grown = yield* to.call(CreatePartitions, { topics: [{ name: "orders", count: 5, assignments: null }], timeoutMs: 1000, validateOnly: false })
        expect(errors(grown.results)).toEqual(["NONE"])
        expect((yield* metadataOf(to, ["orders"])).topics[0]?.partitions.length).toBe(5)
        const removed = yield* to.call(DeleteTopics, { topics: [{ name: null, topicId: created.topics[0]?.topicId ?? zeroTopicId }], timeoutMs: 1000 })
        expect(removed.responses[0]).toMatchObject({ name: "orders", errorCode: 0 })
        expect(errors((yield* metadataOf(to, ["orders"])).topics)).toEqual(["UNKNOWN_TOPIC_OR_PARTITION"])
      })
    ))
  test("what is wrong is answered with words, and the rest is done", () =>
    run(
      scriptedJournal().layer,
      Effect.gen(function* () {
        const { address } = yield* start()
        const to = yield* link(address)
        yield* join(to, 1)
        const answer = yield* create(
          to,
          wanted("fine"),
          wanted("twice"),
          wanted("twice"),
          wanted("a/b"),
          wanted("many", 1, { replicationFactor: 3 }),
          wanted("odd", 1, { configs: [{ name: "no.such.setting", value: "1" }] })
        )
        expect(answer.topics.map(({ name, errorCode }) => [name, kafkaError(errorCode)])).toEqual([
          ["fine", "NONE"],
          ["twice", "INVALID_REQUEST"],
          ["a/b", "INVALID_TOPIC_EXCEPTION"],
          ["many", "INVALID_REPLICATION_FACTOR"],
          ["odd", "INVALID_CONFIG"]
        ])
        expect(answer.topics.slice(1).every(({ errorMessage }) => (errorMessage ?? "").length > 10)).toBe(true)
        expect(errors((yield* create(to, wanted("fine"))).topics)).toEqual(["TOPIC_ALREADY_EXISTS"])
        expect(errors((yield* create(to, wanted("wide", 10_001))).topics)).toEqual(["POLICY_VIOLATION"])
        const removed = yield* to.call(DeleteTopics, { topics: [{ name: "none", topicId: zeroTopicId }], timeoutMs: 1000 })
        expect(errors(removed.responses)).toEqual(["UNKNOWN_TOPIC_OR_PARTITION"])
      })
    ))
  test("a check alone changes nothing, and answers what would be", () =>
    run(
      scriptedJournal().layer,
      Effect.gen(function* () {
        const leader = yield* start()
        const to = yield* link(leader.address)
        yield* join(to, 1)
        const before = leader.writer.end()
        const answer = yield* to.call(CreateTopics, { topics: [wanted("orders", -1)], timeoutMs: 1000, validateOnly: true })
        expect(answer.topics[0]).toMatchObject({ errorCode: 0, numPartitions: 1 })
        expect(leader.writer.end()).toBe(before)
      })
    ))
  test("M4: a repeated command id gets the first answer, after a restart too", async () => {
    const journal = scriptedJournal()
    const ask = (to: Link) => to.call(CreateTopics, { topics: [wanted("orders")], timeoutMs: 1000 }, { tags: commandId("7b1e") })
    const first = await run(
      journal.layer,
      Effect.gen(function* () {
        const { address } = yield* start()
        const to = yield* link(address)
        yield* join(to, 1)
        const answer = yield* ask(to)
        expect(yield* ask(yield* link(address))).toEqual(answer)
        return answer
      })
    )
    const again = await run(
      journal.layer,
      Effect.gen(function* () {
        const { address } = yield* start()
        return yield* ask(yield* link(address))
      })
    )
    expect(first.topics[0]?.errorCode).toBe(0)
    expect(again).toEqual(first)
    expect(journal.entries(metadataTopic).filter(({ type }) => type === "TopicAdded").length).toBe(1)
  })
  test("auto creation: on request, and not against the node's setting", async () => {
    await run(
      scriptedJournal().layer,
      Effect.gen(function* () {
        const { address } = yield* start({ "num.partitions": 3 })
        const to = yield* link(address)
        yield* join(to, 1)
        expect(errors((yield* metadataOf(to, ["orders"], false)).topics)).toEqual(["UNKNOWN_TOPIC_OR_PARTITION"])
        const created = yield* metadataOf(to, ["orders", "a/b"], true)
        expect(errors(created.topics)).toEqual(["NONE", "INVALID_TOPIC_EXCEPTION"])
        expect(created.topics[0]?.partitions.length).toBe(3)
      })
    )
    await run(
      scriptedJournal().layer,
      Effect.gen(function* () {
        const { address } = yield* start({ "auto.create.topics.enable": false })
        const to = yield* link(address)
        yield* join(to, 1)
        expect(errors((yield* metadataOf(to, ["orders"], true)).topics)).toEqual(["UNKNOWN_TOPIC_OR_PARTITION"])
      })
    )
  })
})

describe("brokers", () => {
  test("registered, unfenced, shut down: the topic's partitions follow", () =>
    run(
      scriptedJournal().layer,
      Effect.gen(function* () {
        const { address, clusterId } = yield* start()
        const to = yield* link(address)
        expect(errors([yield* register(to, 1, 1, "another-cluster")])).toEqual(["INCONSISTENT_CLUSTER_ID"])
        const registered = yield* register(to, 1, 1, clusterId)
        expect((yield* metadataOf(to, [])).brokers).toEqual([])
        expect(yield* heartbeat(to, 1, registered.brokerEpoch)).toMatchObject({ errorCode: 0, isCaughtUp: true, isFenced: false })
        yield* create(to, wanted("orders", 1))
        expect(errors([yield* register(to, 1, 2)])).toEqual(["DUPLICATE_BROKER_REGISTRATION"])
        expect(errors([yield* heartbeat(to, 1, 0n)])).toEqual(["STALE_BROKER_EPOCH"])
        expect(errors([yield* heartbeat(to, 5, 0n)])).toEqual(["BROKER_ID_NOT_REGISTERED"])
        expect(yield* heartbeat(to, 1, registered.brokerEpoch, true)).toMatchObject({ errorCode: 0, isFenced: true, shouldShutDown: true })
        const down = yield* metadataOf(to, ["orders"])
        expect(down.topics[0]?.partitions[0]).toMatchObject({ errorCode: errorCode("LEADER_NOT_AVAILABLE"), leaderId: -1, offlineReplicas: [1] })
        yield* join(to, 1, 2)
        expect((yield* metadataOf(to, ["orders"])).topics[0]?.partitions[0]).toMatchObject({ errorCode: 0, leaderId: 1, leaderEpoch: 2 })
      })
    ))
  test("a broker that falls silent is fenced until it speaks again, whatever the leader's restarts", async () => {
    const journal = scriptedJournal()
    await run(
      journal.layer,
      Effect.gen(function* () {
        const leader = yield* start({ "broker.session.timeout.ms": 60 })
        const to = yield* link(leader.address)
        yield* join(to, 1)
        yield* leader.writer.when((cluster) => ([...cluster.brokers].every(([, { fenced }]) => fenced) ? true : undefined))
        expect(journal.entries(metadataTopic).at(-1)).toMatchObject({ type: "BrokerFenced", actor: "leader", cause: "session timeout" })
      })
    )
    for (const fenced of [true, false])
      await run(
        journal.layer,
        Effect.gen(function* () {
          const leader = yield* start()
          expect([...leader.cluster().brokers].map(([, broker]) => broker.fenced)).toEqual([fenced])
          yield* join(yield* link(leader.address), 1, 1)
        })
      )
  })
  test("producer ids: blocks of brokers and of the leader never overlap", () =>
    run(
      scriptedJournal().layer,
      Effect.gen(function* () {
        const { address } = yield* start()
        const to = yield* link(address)
        const brokerEpoch = yield* join(to, 1)
        const first = yield* to.call(AllocateProducerIds, { brokerId: 1, brokerEpoch })
        const own = yield* Effect.forEach([1, 2, 3], () => to.call(InitProducerId, { transactionalId: null, transactionTimeoutMs: 0 }))
        const second = yield* to.call(AllocateProducerIds, { brokerId: 1, brokerEpoch })
        expect([first.producerIdStart, ...own.map(({ producerId }) => producerId), second.producerIdStart]).toEqual([0n, 1000n, 1001n, 1002n, 2000n])
        expect(errors([yield* to.call(AllocateProducerIds, { brokerId: 1, brokerEpoch: -1n })])).toEqual(["STALE_BROKER_EPOCH"])
        expect(errors([yield* to.call(InitProducerId, { transactionalId: "t", transactionTimeoutMs: 0 })])).toEqual(["UNSUPPORTED_VERSION"])
      })
    ))
})

describe("the node", () => {
  test("a restart keeps everything, under a newer epoch and the same cluster id", async () => {
    const journal = scriptedJournal()
    const first = await run(
      journal.layer,
      Effect.gen(function* () {
        const leader = yield* start({ "metadata.snapshot.interval.events": 5 })
        const to = yield* link(leader.address)
        yield* join(to, 1)
        for (let n = 0; n < 5; n++) yield* create(to, wanted(`t${n}`))
        return { clusterId: leader.clusterId, topics: toSnapshot(leader.cluster()).topics, epoch: leader.writer.epoch }
      })
    )
    const second = await run(
      journal.layer,
      Effect.gen(function* () {
        const leader = yield* start()
        const to = yield* link(leader.address)
        expect((yield* metadataOf(to, null)).topics.map(({ name }) => name)).toEqual(["t0", "t1", "t2", "t3", "t4"])
        return { clusterId: leader.clusterId, topics: toSnapshot(leader.cluster()).topics, epoch: leader.writer.epoch }
      })
    )
    expect(second).toEqual({ ...first, epoch: first.epoch + 1 })
  })
  test("the journal is a topic: every event in order as JSON, a fetch at its end waits for the next", () => {
    const journal = scriptedJournal()
    return run(
      journal.layer,
      Effect.gen(function* () {
        const leader = yield* start()
        const to = yield* link(leader.address)
        const described = yield* metadataOf(to, [metadataTopic])
        expect(described.topics[0]).toMatchObject({
          isInternal: true,
          topicId: metadataTopicId,
          partitions: [{ leaderId: 100, leaderEpoch: leader.writer.epoch }]
        })
        const fetch = (fetchOffset: bigint) =>
          to.call(Fetch, {
            maxWaitMs: 5000,
            minBytes: 1,
            maxBytes: 1_000_000,
            topics: [{ topic: metadataTopic, topicId: metadataTopicId, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1_000_000 }] }]
          })
        const eventsOf = (records: Uint8Array | null) => {
          const batches = readableBatches(records ?? new Uint8Array(0))
          if (batches._tag === "Left") throw new Error(batches.left.reason)
          return batches.right.flatMap((batch) => {
            const decoded = decodeRecords(batch, batch.records)
            if (decoded._tag === "Left") throw new Error(decoded.left.reason)
            return decoded.right.map(({ value }) => JSON.parse(new TextDecoder().decode(value ?? new Uint8Array(0)))._tag as string)
          })
        }
        const first = yield* fetch(0n)
        const partition = first.responses[0]?.partitions[0]
        expect(eventsOf(partition?.records ?? null)).toEqual(["ClusterFounded", "GroupStreamsFixed", "NodeConfigsChanged", "LeaderElected"])
        expect(partition?.highWatermark).toBe(4n)
        const waiting = yield* Effect.fork(fetch(4n))
        yield* register(yield* link(leader.address), 1)
        const next = yield* Fiber.join(waiting)
        expect(eventsOf(next.responses[0]?.partitions[0]?.records ?? null)).toEqual(["BrokerRegistered"])
        const offsets = yield* to.call(ListOffsets, {
          replicaId: -1,
          topics: [{ name: metadataTopic, partitions: [-2n, -1n].map((timestamp) => ({ partitionIndex: 0, timestamp })).slice(1) }]
        })
        expect(offsets.topics[0]?.partitions[0]).toMatchObject({ errorCode: 0, offset: 5n })
        const entries = journal.entries(metadataTopic)
        const timestamp = BigInt(entries.at(-1)?.timestamp ?? -1)
        const atTime = yield* to.call(ListOffsets, { replicaId: -1, topics: [{ name: metadataTopic, partitions: [{ partitionIndex: 0, timestamp }] }] })
        // Earlier events may have been appended in the same millisecond.
        const offset = BigInt(entries.findIndex((entry) => BigInt(entry.timestamp) === timestamp))
        expect(atTime.topics[0]?.partitions[0]).toMatchObject({ errorCode: 0, offset, timestamp })
      })
    )
  })
  test("no client writes to the journal; requests for a broker are sent there", () =>
    run(
      scriptedJournal().layer,
      Effect.gen(function* () {
        const { address } = yield* start()
        const to = yield* link(address)
        yield* join(to, 1)
        yield* create(to, wanted("orders", 1))
        const names = [metadataTopic, "orders", "none"]
        const request = { acks: 1, timeoutMs: 1000, topicData: names.map((name) => ({ name, partitionData: [{ index: 0, records: new Uint8Array(3) }] })) }
        const answer = yield* to.call(Produce, request, { version: 12 })
        expect(answer.responses.flatMap(({ partitionResponses }) => errors(partitionResponses))).toEqual([
          "INVALID_TOPIC_EXCEPTION",
          "NOT_LEADER_OR_FOLLOWER",
          "UNKNOWN_TOPIC_OR_PARTITION"
        ])
        expect(answer.nodeEndpoints).toMatchObject([{ nodeId: 1, port: 9001 }])
      })
    ))
  test("what a broker relays is decided as if the client had asked, in the name of the broker; only brokers may relay", () => {
    const journal = scriptedJournal()
    return run(
      journal.layer,
      Effect.gen(function* () {
        const { address } = yield* start()
        const to = yield* link(address, "broker-1")
        yield* join(to, 1)
        const relay = (frame: ReadonlyArray<Uint8Array>) =>
          to.call(Envelope, { requestData: Buffer.concat([...frame]).subarray(4), requestPrincipal: null, clientHostAddress: new Uint8Array([10, 0, 0, 7]) })
        const frame = requestFrame(CreateTopics, 7, { correlationId: 42, clientId: "rdkafka" }, { topics: [wanted("orders")], timeoutMs: 1000 })
        const answer = yield* relay(frame)
        expect(answer.errorCode).toBe(0)
        const inner = decodeResponseFrame(CreateTopics, 7, answer.responseData ?? new Uint8Array(0))
        expect(inner).toMatchObject({ right: { correlationId: 42, value: { topics: [{ name: "orders", errorCode: 0 }] } } })
        expect(journal.entries(metadataTopic).find(({ type }) => type === "TopicAdded")?.actor).toBe("10.0.0.7 by broker 1")
        const nested = requestFrame(
          Envelope,
          0,
          { correlationId: 1, clientId: null },
          { requestData: new Uint8Array(0), requestPrincipal: null, clientHostAddress: new Uint8Array(4) }
        )
        expect(errors([yield* relay(nested)])).toEqual(["UNSUPPORTED_VERSION"])
        expect(errors([yield* relay([new Uint8Array(9)])])).toEqual(["INVALID_REQUEST"])
        const heartbeat = requestFrame(
          BrokerHeartbeat,
          0,
          { correlationId: 1, clientId: null },
          { brokerId: 1, brokerEpoch: 2n, currentMetadataOffset: 9n, wantFence: false, wantShutDown: true }
        )
        expect(errors([yield* relay(heartbeat)])).toEqual(["UNSUPPORTED_VERSION"])
        const stranger = yield* link(address, "broker-1")
        const asked = { requestData: Buffer.concat([...frame]).subarray(4), requestPrincipal: null, clientHostAddress: new Uint8Array([10, 0, 0, 7]) }
        expect(errors([yield* stranger.call(Envelope, asked)])).toEqual(["CLUSTER_AUTHORIZATION_FAILED"])
      })
    )
  })
  test("coordinator, cluster and settings", () =>
    run(
      scriptedJournal().layer,
      Effect.gen(function* () {
        const { address, clusterId } = yield* start({ "num.partitions": 7 })
        const to = yield* link(address)
        yield* join(to, 1)
        const found = yield* to.call(FindCoordinator, { keyType: 0, coordinatorKeys: ["g", "h"] })
        expect(found.coordinators.map(({ key, nodeId, port }) => [key, nodeId, port])).toEqual([
          ["g", 1, 9001],
          ["h", 1, 9001]
        ])
        expect(yield* to.call(FindCoordinator, { key: "g" }, { version: 2 })).toMatchObject({ errorCode: 0, nodeId: 1 })
        const cluster = yield* to.call(DescribeCluster, { includeClusterAuthorizedOperations: true })
        expect(cluster).toMatchObject({ clusterId, controllerId: 1, clusterAuthorizedOperations: 8096 })
        expect(cluster.brokers.map(({ brokerId }) => brokerId)).toEqual([1])
        const controllers = yield* to.call(DescribeCluster, { includeClusterAuthorizedOperations: false, endpointType: 2 })
        expect(controllers).toMatchObject({ errorCode: 0, clusterId, controllerId: 100, endpointType: 2 })
        expect(controllers.brokers.map(({ brokerId, port }) => [brokerId, port])).toEqual([[100, address.port]])
        const configs = yield* to.call(DescribeConfigs, {
          resources: [
            { resourceType: 4, resourceName: "100", configurationKeys: ["num.partitions"] },
            { resourceType: 2, resourceName: "none", configurationKeys: null },
            { resourceType: 4, resourceName: "1", configurationKeys: null }
          ],
          includeSynonyms: true,
          includeDocumentation: true
        })
        expect(errors(configs.results)).toEqual(["NONE", "UNKNOWN_TOPIC_OR_PARTITION", "INVALID_REQUEST"])
        expect(configs.results[0]?.configs).toMatchObject([
          { name: "num.partitions", value: "7", configSource: 4, configType: 3, synonyms: [{ value: "7" }, { value: "1", source: 5 }] }
        ])
      })
    ))
})
