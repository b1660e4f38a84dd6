import { expect, test } from "bun:test"
import { Clock, Either } from "effect"
import { defaultNodeConfig } from "../../../../domain/kernel/config.ts"
import { errorCode } from "../../../../domain/kernel/error-code.ts"
import type { TopicId } from "../../../../domain/kernel/id.ts"
import { describeConfigs } from "../../../../src/serve/configs/describe-configs.ts"
import { Deadlines } from "../../../../src/serve/deadlines.ts"
import { fetch } from "../../../../src/serve/fetch/fetch.ts"
import type { FetchResponse } from "../../../../src/serve/fetch/fetch-pass.ts"
import { listOffsets } from "../../../../src/serve/offsets/list-offsets.ts"
import type { ReadablePartition } from "../../../../src/serve/readable.ts"
import { up } from "../../../domain/cluster/support.ts"
import { batch } from "../../broker/support.ts"
import { atOnce } from "../../wire/at-once.ts"

/** Small requests that ask for much: the work and the answer stay within bounds. */
const records = batch(["x".repeat(10_000)])
const partitions = (reads: Array<number>): ReadablePartition => ({
  topic: "orders",
  topicId: "AAAAAAAAAAAAAAAAAAAAAw" as TopicId,
  partition: 0,
  leaderEpoch: () => 0,
  start: () => 0,
  highWatermark: () => 1,
  end: () => 1,
  // As a log: the first batch is given even where it is larger.
  read: (_, maxBytes) => {
    reads.push(maxBytes)
    return Either.right([records])
  },
  batchAtTime: () => {
    reads.push(0)
    return Either.right(undefined)
  },
  onAdvance: () => () => undefined
})

const unused = new Deadlines(Clock.make(), () => {
  throw new Error("nothing waits here")
})

const fetchOf = (maxBytes: number, partitionMaxBytes: number) => {
  const reads: Array<number> = []
  const wanted = Array.from({ length: 5000 }, (_, partition) => ({
    partition,
    currentLeaderEpoch: -1,
    fetchOffset: 0n,
    lastFetchedEpoch: -1,
    logStartOffset: -1n,
    partitionMaxBytes,
    replicaDirectoryId: "",
    highWatermark: -1n
  }))
  const options = { find: () => partitions(reads), findLeader: () => undefined, clusterId: () => undefined, fetchBytesMax: 1_000_000, deadlines: unused }
  const request = {
    clusterId: null,
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [{ topic: "orders", topicId: "", partitions: wanted }]
  }
  const answer = atOnce<unknown>(fetch(options)(request as unknown as Parameters<ReturnType<typeof fetch>>[0], { version: 12 })) as FetchResponse
  const given = "responses" in answer ? answer.responses[0]?.partitions.filter((each) => (each.records as ReadonlyArray<Uint8Array>).length > 0).length : -1
  return { reads: reads.length, given }
}

test("a Fetch of thousands of partitions reads no more than the response may have, and one batch", () => {
  expect(fetchOf(1_000_000, 1_000_000)).toEqual({ reads: 100, given: 99 })
  expect(fetchOf(1, 1_000_000)).toEqual({ reads: 1, given: 1 })
  // Each partition alone is allowed less than its first batch: only the first is given.
  expect(fetchOf(1_000_000, 1)).toEqual({ reads: 100, given: 1 })
})

test("a time is looked up once a partition, however often a request names its topic", () => {
  const reads: Array<number> = []
  const topics = Array.from({ length: 1000 }, () => ({
    name: "orders",
    partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: 5n, maxNumOffsets: 1 }]
  }))
  const options = { find: () => partitions(reads), decompress: () => Either.right(new Uint8Array(0)) }
  const answer = atOnce(listOffsets(options)({ replicaId: -1, isolationLevel: 0, topics, timeoutMs: 0 }, { version: 8 }))
  expect(reads.length).toBe(0)
  expect(new Set(answer.topics.map((topic) => topic.partitions[0]?.errorCode))).toEqual(new Set([errorCode("INVALID_REQUEST")]))
})

test("settings are described once, however often a resource is named", () => {
  const resources = Array.from({ length: 1000 }, (_, n) => ({ resourceType: 4, resourceName: n % 2 === 0 ? "1" : "2", configurationKeys: null }))
  const answer = atOnce(
    describeConfigs({ cluster: () => up(1), nodeId: 1, config: defaultNodeConfig })({
      resources,
      includeSynonyms: true,
      includeDocumentation: true
    })
  )
  expect(answer.results.map(({ errorCode: code, resourceName }) => [resourceName, code])).toEqual([
    ["1", 0],
    ["2", errorCode("INVALID_REQUEST")]
  ])
})
