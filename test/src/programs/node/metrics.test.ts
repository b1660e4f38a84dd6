import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Exit, Logger, LogLevel, Scope } from "effect"
import type { MetricValue } from "../../../../src/client/admin/metrics.ts"
import { parseMetrics } from "../../../../src/client/admin/metrics.ts"
import { Admin, Consumer, Producer } from "../../../../src/programs/library.ts"
import { cluster, type RunningCluster } from "../../../../src/programs/testing.ts"
import { franzDoes } from "../../../interop/support/franz.ts"
import { root } from "../../../interop/support/process.ts"

const valueOf = (values: ReadonlyArray<MetricValue>, name: string, labels: Readonly<Record<string, string>>): number | undefined =>
  values.find((each) => each.name === name && Object.entries(labels).every(([key, value]) => each.labels[key] === value))?.value

describe("the metrics of a cluster of two nodes", () => {
  const scope = Effect.runSync(Scope.make())
  const logged: Array<string> = []
  let running: RunningCluster
  let values: ReadonlyArray<MetricValue>

  beforeAll(async () => {
    const logger = Logger.make<unknown, void>(({ message }) => void logged.push([message].flat().join(" ")))
    const config = { "franz.metrics.listener": "127.0.0.1:0" }
    running = await Effect.runPromise(
      cluster({ brokers: 2, config, logLevel: LogLevel.Info }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Scope.extend(scope))
    )
    const { leader } = running
    const work = Effect.gen(function* () {
      const producer = yield* Producer.make({ leader })
      const admin = yield* Admin.make({ leader })
      yield* admin.addTopic("orders", { partitions: 2 })
      for (let n = 0; n < 10; n++) yield* producer.sendMessage("orders", `message ${n}`, { partition: n % 2 })
      yield* Effect.either(admin.addTopic("orders"))
      const consumer = yield* Consumer.make({ leader, from: "earliest" })
      yield* consumer.joinConsumerGroup("billing")
      yield* consumer.subscribe("orders")
      while ((yield* consumer.poll()).length === 0);
      return yield* admin.metrics
    })
    values = await Effect.runPromise(Effect.scoped(work))
  }, 300_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  test("each node counts its own requests, errors, bytes and connections", () => {
    expect(new Set(values.map(({ labels }) => labels["node"]))).toEqual(new Set(["0", "1"]))
    const produced = ["0", "1"].map((node) => valueOf(values, "franz_requests_total", { node, api: "Produce" }) ?? 0)
    expect(produced.reduce((sum, each) => sum + each, 0)).toBe(10)
    expect(valueOf(values, "franz_request_errors_total", { node: "0", api: "CreateTopics", error: "TOPIC_ALREADY_EXISTS" })).toBe(1)
    const ofOrders = (name: string) => ["0", "1"].map((node) => valueOf(values, name, { node, topic: "orders" }) ?? 0)
    expect(ofOrders("franz_topic_partitions")).toEqual([1, 1])
    expect(ofOrders("franz_topic_records_total")).toEqual([5, 5])
    for (const bytes of ofOrders("franz_topic_log_bytes")) expect(bytes).toBeGreaterThan(5 * 70)
    for (const node of ["0", "1"]) {
      expect(valueOf(values, "franz_partitions_led", { node })).toBe(1)
      expect(valueOf(values, "franz_partitions_offline", { node })).toBe(0)
      expect(valueOf(values, "franz_network_received_bytes_total", { node })).toBeGreaterThan(100)
      expect(valueOf(values, "franz_network_sent_bytes_total", { node })).toBeGreaterThan(100)
      expect(valueOf(values, "franz_connections", { node })).toBeGreaterThan(0)
      expect(valueOf(values, "franz_request_memory_limit_bytes", { node })).toBeGreaterThan(1_000_000)
    }
    // The leader's journal and the logs of both brokers.
    const syncs = values.filter(({ name }) => name === "franz_log_syncs_total")
    expect(syncs.map(({ labels, value }) => [labels["node"], value > 0])).toEqual([
      ["0", true],
      ["0", true],
      ["1", true]
    ])
    const documented = readFileSync(join(root, "docs/metrics.md"), "utf8")
    for (const { help, name, type } of values) {
      expect(documented).toContain(`| \`${name}\` | ${type} |`)
      expect(help).not.toBe("")
      expect(type).toBe(name.endsWith("_total") ? "counter" : "gauge")
    }
  })

  test("the leader counts groups, rebalances and the events of its journals", () => {
    expect(valueOf(values, "franz_groups", { node: "0", state: "Stable" })).toBe(1)
    expect(valueOf(values, "franz_group_rebalances_total", { node: "0" })).toBe(1)
    expect(valueOf(values, "franz_group_generations_total", { node: "0" })).toBe(1)
    expect(valueOf(values, "franz_group_state_bytes", { node: "0" })).toBeGreaterThan(100)
    expect(valueOf(values, "franz_journal_events_total", { node: "0", stream: "__cluster_metadata" })).toBeGreaterThan(5)
    expect(values.filter(({ labels, name }) => name.startsWith("franz_group") && labels["node"] === "1")).toEqual([])
  })

  test("Prometheus scrapes all nodes of the process from the listener of the setting", async () => {
    const [, url = ""] = logged.join("\n").match(/metrics for Prometheus at (http:\S+)/) ?? []
    const answer = await fetch(url)
    const scraped = parseMetrics(await answer.text())
    expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8")
    expect(new Set(scraped.map(({ name }) => name))).toEqual(new Set(values.map(({ name }) => name)))
    expect(new Set(scraped.map(({ labels }) => labels["node"]))).toEqual(new Set(["0", "1"]))
    // Prometheus refuses two samples with the same name and labels.
    const keys = scraped.map(({ labels, name }) => JSON.stringify([name, labels]))
    expect(keys.filter((key, at) => keys.indexOf(key) !== at)).toEqual([])
  })

  test("franz cluster metrics prints the same in text and in JSON", async () => {
    const text = await franzDoes(["cluster", "metrics", "--leader", running.leader])
    const parsed = parseMetrics(text)
    expect(new Set(parsed.map(({ name }) => name))).toEqual(new Set(values.map(({ name }) => name)))
    expect(text.match(/^# TYPE franz_requests_total counter$/gm)).toHaveLength(1)
    const json = (await franzDoes(["cluster", "metrics", "--json", "--leader", running.leader])).trim().split("\n")
    expect(json.map((line) => Object.keys(JSON.parse(line)))).toEqual(json.map(() => ["name", "type", "help", "labels", "value"]))
  }, 300_000)
})

test("lines of another form are left out, and escaped labels are read", () => {
  expect(parseMetrics('x\n# TYPE a counter\n# HELP a A \\\\ b\\nc\na{x="1\\"2\\\\n",y=""} 3\nb NaN\nc{ 1\n{} 2\n')).toEqual([
    { name: "a", type: "counter", help: "A \\ b\nc", labels: { x: '1"2\\n', y: "" }, value: 3 }
  ])
})
