import { expect, test } from "bun:test"
import { Effect, Metric } from "effect"
import { Consumer } from "../../../../src/client/consumer/consumer.ts"
import { batchCounts } from "../../../../src/client/observability/batch-counts.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import { withCluster } from "../real-cluster.ts"

/** The metrics of a client, as `name{labels}`. */
const metricsOf = (clientId: string): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Metric.unsafeSnapshot().flatMap(({ metricKey, metricState }) => {
      if (!metricKey.name.startsWith("franz_client_") || !metricKey.tags.some(({ key, value }) => key === "client_id" && value === clientId)) return []
      const labels = metricKey.tags.filter(({ key }) => key !== "client_id").map(({ key, value }) => `${key}=${value}`)
      const state = metricState as { readonly count?: number; readonly value?: number }
      return [[`${metricKey.name.replace("franz_client_", "")}{${labels.sort().join(",")}}`, Number(state.count ?? state.value)] as const]
    })
  )

/** Ten messages, of which a group's member reads all. */
const work = (clientId: string, metrics: boolean) =>
  withCluster(() =>
    Effect.gen(function* () {
      const options = { leader: "leader:9092", clientId, metrics }
      const producer = yield* Producer.make(options)
      yield* producer.addTopic("orders", { partitions: 1 })
      yield* Effect.flip(producer.addTopic("orders"))
      for (let n = 0; n < 10; n++) yield* producer.sendMessage("orders", `message ${n}`)
      const consumer = yield* Consumer.make({ ...options, from: "earliest" })
      yield* consumer.joinConsumerGroup("readers")
      yield* consumer.subscribe("orders")
      for (let read = 0; read < 10; ) read += (yield* consumer.poll({ timeoutMs: 1000 })).length
      yield* Effect.flip(Producer.make({ ...options, leader: "absent:9092", retryTimeoutMs: 10, connectTimeoutMs: 50 }))
    })
  )

test("requests, errors, records, lag, rebalances and connections are counted with the label of the client", async () => {
  await work("counted", true)
  const found = metricsOf("counted")
  expect(found).toMatchObject({
    "requests_total{api=Produce}": 10,
    "request_seconds{api=Produce}": 10,
    "sent_records_total{topic=orders}": 10,
    "received_records_total{topic=orders}": 10,
    "lag_records{partition=0,topic=orders}": 0,
    "rebalances_total{group=readers}": 1,
    "request_errors_total{api=CreateTopics,error=TOPIC_ALREADY_EXISTS}": 1
  })
  expect(found["sent_record_bytes_total{topic=orders}"]).toBeGreaterThan(10 * 70)
  expect(found["received_record_bytes_total{topic=orders}"]).toBeGreaterThanOrEqual(10 * 70)
  expect(found["connections_total{}"]).toBeGreaterThan(2)
  expect(found["connection_errors_total{error=NotReachable}"]).toBeGreaterThan(0)
})

test("without the option no metric is made", async () => {
  await work("uncounted", false)
  expect(metricsOf("uncounted")).toEqual({})
})

test("bytes that are no whole batch count nothing", () => {
  for (const bytes of [undefined, new Uint8Array(0), new Uint8Array(60), new Uint8Array(200), new Uint8Array(61).fill(255)])
    expect(batchCounts(bytes)).toEqual({ records: 0, nextOffset: undefined })
})
