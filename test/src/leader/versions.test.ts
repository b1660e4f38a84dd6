import { expect, test } from "bun:test"
import { Effect } from "effect"
import { zeroTopicId } from "../../../domain/kernel/id.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import { ListOffsets } from "../../../src/protocol/message/02-list-offsets.ts"
import { Metadata } from "../../../src/protocol/message/03-metadata.ts"
import { FindCoordinator } from "../../../src/protocol/message/10-find-coordinator.ts"
import { CreateTopics } from "../../../src/protocol/message/19-create-topics.ts"
import { DeleteTopics } from "../../../src/protocol/message/20-delete-topics.ts"
import { InitProducerId } from "../../../src/protocol/message/22-init-producer-id.ts"
import { DescribeConfigs } from "../../../src/protocol/message/32-describe-configs.ts"
import { CreatePartitions } from "../../../src/protocol/message/37-create-partitions.ts"
import { DescribeCluster } from "../../../src/protocol/message/60-describe-cluster.ts"
import { BrokerHeartbeat } from "../../../src/protocol/message/63-broker-heartbeat.ts"
import type { AnyApi, RequestDraft } from "../../../src/protocol/type/wire.ts"
import type { Link } from "../../../src/wire/link.ts"
import { scriptedJournal } from "../stream/scripted-journal.ts"
import { join, link, run, start } from "./support.ts"

/** Every version of an API, first to last stable, answered without an error of the wire. */
const sweep = <A extends AnyApi>(to: Link, api: A, request: (version: number) => RequestDraft<A>) =>
  Effect.forEach(
    Array.from({ length: api.latestStable - api.versions[0] + 1 }, (_, n) => api.versions[0] + n),
    (version) => Effect.map(to.call(api, request(version), { version }), (answer) => ({ version, answer }))
  )
const topic = (name: string) => ({ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] })

test("every version that is advertised is answered", () =>
  run(
    scriptedJournal().layer,
    Effect.gen(function* () {
      const { address, clusterId } = yield* start()
      const to = yield* link(address)
      const brokerEpoch = yield* join(to, 1)
      for (const { version, answer } of yield* sweep(to, CreateTopics, (v) => ({ topics: [topic(`t${v}`), topic("a/b")], timeoutMs: 1000 })))
        expect(answer.topics.map(({ errorCode, numPartitions }) => [errorCode, numPartitions])).toEqual([
          [0, version >= 5 ? 1 : -1],
          [17, -1]
        ])
      for (const { version, answer } of yield* sweep(to, Metadata, (v) => ({ topics: v === 0 ? [] : null }))) {
        expect(answer.topics.map(({ name }) => name)).toEqual(["t2", "t3", "t4", "t5", "t6", "t7"])
        expect([answer.clusterId, answer.controllerId]).toEqual([version >= 2 ? clusterId : null, version >= 1 ? 1 : -1])
      }
      yield* sweep(to, Metadata, (v) => ({
        topics: [{ name: "t2" }, { name: "none" }],
        allowAutoTopicCreation: v < 4,
        ...(v >= 8 ? { includeTopicAuthorizedOperations: true } : {}),
        ...(v >= 8 && v <= 10 ? { includeClusterAuthorizedOperations: true } : {})
      }))
      for (const { answer } of yield* sweep(to, FindCoordinator, (v) =>
        v >= 4 ? { keyType: 0, coordinatorKeys: ["g"] } : v >= 1 ? { key: "g", keyType: 0 } : { key: "g" }
      ))
        expect(answer.coordinators[0]?.nodeId ?? answer.nodeId).toBe(1)
      for (const { answer } of yield* sweep(to, FindCoordinator, (v) =>
        v >= 4 ? { keyType: 2, coordinatorKeys: ["g"] } : { key: "g", ...(v >= 1 ? { keyType: 2 } : {}) }
      ))
        expect(answer).toBeDefined()
      yield* sweep(to, DescribeConfigs, () => ({
        resources: [
          { resourceType: 4, resourceName: "100", configurationKeys: null },
          { resourceType: 2, resourceName: "t2", configurationKeys: null },
          { resourceType: 9, resourceName: "", configurationKeys: null }
        ],
        includeSynonyms: true
      }))
      yield* sweep(to, DescribeCluster, (v) => ({ includeClusterAuthorizedOperations: false, ...(v >= 2 ? { includeFencedBrokers: true } : {}) }))
      yield* sweep(to, InitProducerId, () => ({ transactionalId: null, transactionTimeoutMs: 0 }))
      yield* sweep(to, BrokerHeartbeat, () => ({ brokerId: 1, brokerEpoch, currentMetadataOffset: brokerEpoch, wantFence: false, wantShutDown: false }))
      yield* sweep(to, CreatePartitions, (v) => ({ topics: [{ name: "t2", count: v + 2, assignments: null }], timeoutMs: 1000, validateOnly: false }))
      yield* sweep(to, ListOffsets, () => ({ replicaId: -1, topics: [{ name: "__cluster_metadata", partitions: [{ partitionIndex: 0, timestamp: -1n }] }] }))
      yield* sweep(to, Fetch, (v) => ({
        maxWaitMs: 0,
        minBytes: 1,
        maxBytes: 1000,
        topics: [
          {
            ...(v >= 13 ? { topicId: "AAAAAAAAAAAAAAAAAAAAAQ" } : { topic: "__cluster_metadata" }),
            partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1000 }]
          }
        ]
      }))
      for (const { answer } of yield* sweep(to, DeleteTopics, (v) =>
        v >= 6 ? { topics: [{ name: `t${v}`, topicId: zeroTopicId }], timeoutMs: 1000 } : { topicNames: [v === 1 ? "t7" : `t${v}`], timeoutMs: 1000 }
      ))
        expect(answer.responses.map(({ errorCode }) => errorCode)).toEqual([0])
    })
  ))
