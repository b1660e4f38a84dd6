import { expect, test } from "bun:test"
import { prometheusText } from "../../../../adapters/metrics/prometheus-text.ts"
import { errorCode } from "../../../../domain/kernel/error-code.ts"
import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import { Metadata } from "../../../../src/protocol/message/03-metadata.ts"
import { Heartbeat } from "../../../../src/protocol/message/12-heartbeat.ts"
import { apiByKey } from "../../../../src/protocol/message/registry.ts"
import { RequestCounts } from "../../../../src/wire/metrics/request-counts.ts"
import { responseErrors } from "../../../../src/wire/metrics/response-errors.ts"

const lines = (counts: RequestCounts): ReadonlyArray<string> =>
  prometheusText([...counts.samples()])
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
const partition = (index: number, code: number) => ({ index, errorCode: code, baseOffset: 0n })

test("error codes are found in every part of a response, and 0 is none", () => {
  const found: Array<number> = []
  const walk = responseErrors(Produce)
  walk({ responses: [{ name: "a", partitionResponses: [partition(0, 0), partition(1, 6), partition(2, -1)] }], throttleTimeMs: 0 }, (code) => found.push(code))
  expect(found).toEqual([6, -1])
  const fetched: Array<number> = []
  const partitions = [
    { partitionIndex: 0, errorCode: 0 },
    { partitionIndex: 1, errorCode: 1 }
  ]
  responseErrors(Fetch)({ throttleTimeMs: 0, errorCode: 70, sessionId: 0, responses: [{ topic: "a", partitions }] }, (code) => fetched.push(code))
  expect(fetched).toEqual([70, 1])
})

test("a walk is made for every API, and takes a response whose parts are absent or null", () => {
  for (let key = 0; key < 100; key++) {
    const api = apiByKey(key)
    if (api === undefined) continue
    expect(api.key).toBeLessThan(128)
    const responses = key <= 1 ? { responses: [] } : {}
    responseErrors(api)(responses, () => expect.unreachable())
  }
  responseErrors(Metadata)({ brokers: null, topics: undefined }, () => expect.unreachable())
})

test("requests are counted by API, errors by API and error", () => {
  const counts = new RequestCounts()
  counts.bytesIn = 10
  counts.sent([new Uint8Array(15), new Uint8Array(5)])
  for (let n = 0; n < 3; n++) counts.answered(Heartbeat, { throttleTimeMs: 0, errorCode: n === 0 ? 0 : errorCode("REBALANCE_IN_PROGRESS") })
  counts.answered(Produce, undefined)
  counts.answeredWith(Produce, [errorCode("UNKNOWN_SERVER_ERROR")])
  counts.closed("http")
  counts.closed("http")
  expect(lines(counts)).toEqual([
    "franz_connections_accepted_total 0",
    'franz_connections_refused_total{reason="http"} 2',
    "franz_network_received_bytes_total 10",
    "franz_network_sent_bytes_total 20",
    'franz_request_errors_total{api="Heartbeat",error="REBALANCE_IN_PROGRESS"} 2',
    'franz_request_errors_total{api="Produce",error="UNKNOWN_SERVER_ERROR"} 1',
    'franz_requests_total{api="Heartbeat"} 3',
    'franz_requests_total{api="Produce"} 2'
  ])
})
