import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { kafkaError } from "../../domain/kernel/error-code.ts"
import { Produce } from "../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../src/protocol/message/01-fetch.ts"
import { Metadata } from "../../src/protocol/message/03-metadata.ts"
import { DeleteTopics } from "../../src/protocol/message/20-delete-topics.ts"
import { InitProducerId } from "../../src/protocol/message/22-init-producer-id.ts"
import { DescribeCluster } from "../../src/protocol/message/60-describe-cluster.ts"
import { zeroUuid } from "../../src/protocol/type/wire.ts"
import { type Node, up } from "./support/franz.ts"
import { batch } from "./support/oracle/records.ts"
import { Side } from "./support/oracle/side.ts"
import { temporaryDirectory } from "./support/process.ts"

/** Responses that must equal Kafka's. oracle.test.ts compares both where Java is installed; these tests run on every machine. */
const data = temporaryDirectory()
let node: Node
let side: Side
beforeAll(async () => {
  node = await up(data.path, "-X", "node.id=1")
  side = await Side.open(node.port)
  await side.begin("answers")
})
afterAll(async () => {
  side?.close()
  await node?.process.kill("SIGTERM")
  data.remove()
})
const where = { maxWaitMs: 0, minBytes: 0 }
const place = { partition: 0, fetchOffset: 0n, partitionMaxBytes: 1000 }

describe("as Kafka answers", () => {
  test("Fetch: a partition that a known topic lacks is an unknown partition, not an unknown id; an epoch below -1 is none", async () => {
    const topicId = await side.topic("fetched")
    const errors = (answer: Awaited<ReturnType<typeof fetch>>) =>
      answer.responses.flatMap(({ partitions }) => partitions.map((each) => kafkaError(each.errorCode)))
    const fetch = (topic: string, partition: number) => side.call(Fetch, 13, { ...where, topics: [{ topicId: topic, partitions: [{ ...place, partition }] }] })
    expect(errors(await fetch(topicId, 5))).toEqual(["UNKNOWN_TOPIC_OR_PARTITION"])
    expect(errors(await fetch("AAAAAAAAAAAAAAAAAAAAZg", 0))).toEqual(["UNKNOWN_TOPIC_ID"])
    const old = await side.call(Fetch, 12, { ...where, topics: [{ topic: "fetched", partitions: [{ ...place, currentLeaderEpoch: -2 }] }] })
    expect(errors(old)).toEqual(["NONE"])
  })

  test("Produce: a timeout of 0 is accepted where there are no replicas to wait for", async () => {
    await side.topic("hurried")
    const topicData = [{ name: "hurried", partitionData: [{ index: 0, records: batch(1) }] }]
    const answer = await side.call(Produce, 9, { acks: -1, timeoutMs: 0, topicData })
    expect(answer.responses[0]?.partitionResponses[0]).toMatchObject({ errorCode: 0, baseOffset: 0n })
  })

  test("InitProducerId: an id without its epoch, and an epoch without an id, are refused", async () => {
    const ask = async (producerId: bigint, producerEpoch: number) =>
      kafkaError((await side.call(InitProducerId, 4, { transactionalId: null, transactionTimeoutMs: 1000, producerId, producerEpoch })).errorCode)
    expect([await ask(-1n, -1), await ask(7n, 0), await ask(7n, -1), await ask(-1n, 0)]).toEqual(["NONE", "NONE", "INVALID_REQUEST", "INVALID_REQUEST"])
  })

  test("DeleteTopics: a request that names a topic twice, also by name and id, removes nothing and gets one error", async () => {
    const topicId = await side.topic("twice")
    const remove = async (...topics: ReadonlyArray<{ readonly name: string | null; readonly topicId: string }>) =>
      (await side.call(DeleteTopics, 6, { topics, timeoutMs: 1000 })).responses.map(({ errorCode }) => kafkaError(errorCode))
    const [byName, byId] = [
      { name: "twice", topicId: zeroUuid },
      { name: null, topicId }
    ]
    expect(await remove(byName, byName)).toEqual(["INVALID_REQUEST"])
    expect(await remove(byName, byId)).toEqual(["INVALID_REQUEST", "INVALID_REQUEST"])
    expect(await remove(byId)).toEqual(["NONE"])
  })

  test("DescribeCluster: an error response describes no cluster. Metadata: authorized operations are returned for unknown names, too", async () => {
    const refused = await side.call(DescribeCluster, 1, { includeClusterAuthorizedOperations: false, endpointType: 2 })
    expect({ ...refused, error: kafkaError(refused.errorCode) }).toMatchObject({
      error: "MISMATCHED_ENDPOINT_TYPE",
      clusterId: "",
      controllerId: -1,
      endpointType: 1
    })
    const { topics } = await side.call(Metadata, 12, { topics: [{ name: "nowhere" }], allowAutoTopicCreation: false, includeTopicAuthorizedOperations: true })
    expect(topics[0]?.topicAuthorizedOperations).toBe(3576)
  })
})
