import { describe, expect, test } from "bun:test"
import { connect } from "node:net"
import { Effect, Metric } from "effect"
import { listenForScrapes } from "../../../adapters/metrics/http-listener.ts"
import { layer } from "../../../adapters/metrics/layer.ts"
import { prometheusText } from "../../../adapters/metrics/prometheus-text.ts"
import { freePort } from "../../../scripts/bench/port.ts"
import { counterSample, gaugeSample, Metrics } from "../../../src/ports/metrics.ts"

describe("Prometheus' text format", () => {
  test("each metric has HELP and TYPE once, its samples are sorted, and texts are escaped", () => {
    expect(
      prometheusText([
        gaugeSample("franz_log_bytes", "Bytes of logs.", 12.5, { topic: 'a"b\\c\nd' }),
        counterSample("franz_requests_total", "Requests.\nBy API.", 3, { api: "Produce" }),
        gaugeSample("franz_log_bytes", "Bytes of logs.", 7, { topic: "a" }),
        counterSample("franz_bytes_total", "Bytes.", 2 ** 53)
      ])
    ).toBe(
      [
        "# HELP franz_bytes_total Bytes.",
        "# TYPE franz_bytes_total counter",
        "franz_bytes_total 9007199254740992",
        "# HELP franz_log_bytes Bytes of logs.",
        "# TYPE franz_log_bytes gauge",
        'franz_log_bytes{topic="a"} 7',
        'franz_log_bytes{topic="a\\"b\\\\c\\nd"} 12.5',
        "# HELP franz_requests_total Requests.\\nBy API.",
        "# TYPE franz_requests_total counter",
        'franz_requests_total{api="Produce"} 3',
        ""
      ].join("\n")
    )
  })
  test("without samples the text is empty", () => expect(prometheusText([])).toBe(""))
})

describe("the metrics of a node", () => {
  const rebalances = Metric.counter("franz_test_rebalances_total", { description: "Rebalances.", incremental: true })

  test("a source is read when the samples are, until its scope closes; Effect's own metrics are the node's by their label", () => {
    let read = 0
    const body = Effect.gen(function* () {
      const metrics = yield* Metrics
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* metrics.register(() => [gaugeSample("franz_read", "Reads.", ++read)])
          expect(read).toBe(0)
          yield* Metric.increment(rebalances).pipe(Effect.tagMetrics("node", "71"))
          yield* Metric.increment(rebalances).pipe(Effect.tagMetrics("node", "72"))
          yield* Metric.increment(Metric.counter("other_total")).pipe(Effect.tagMetrics("node", "71"))
          expect(metrics.text()).toBe(
            [
              "# HELP franz_read Reads.",
              "# TYPE franz_read gauge",
              'franz_read{node="71"} 1',
              "# HELP franz_test_rebalances_total Rebalances.",
              "# TYPE franz_test_rebalances_total counter",
              'franz_test_rebalances_total{node="71"} 1',
              ""
            ].join("\n")
          )
        })
      )
      expect(metrics.text()).not.toContain("franz_read")
    })
    return Effect.runPromise(Effect.provide(body, layer(71)))
  })
})

describe("the listener for scrapes", () => {
  const local = { host: "127.0.0.1", port: 0 }
  /** Sends `request`; returns all bytes of the response until the connection is closed. */
  const exchange = (port: number, request: string) =>
    new Promise<string>((resolve) => {
      let received = ""
      const socket = connect(port, "127.0.0.1", () => socket.write(request))
      socket.on("data", (bytes) => void (received += bytes.toString("latin1")))
      socket.once("close", () => resolve(received))
    })
  const scrape = (port: number, path = "/metrics", init: RequestInit = {}) => Effect.promise(() => fetch(`http://127.0.0.1:${port}${path}`, init))

  test("GET /metrics returns the current samples; another path or method is refused with a message", () => {
    let scrapes = 0
    return Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { port } = yield* listenForScrapes(local, () => `scrapes ${++scrapes}\n`)
          for (const n of [1, 2]) {
            const answer = yield* scrape(port, n === 1 ? "/metrics" : "/metrics?x=1")
            expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"])
            expect(yield* Effect.promise(() => answer.text())).toBe(`scrapes ${n}\n`)
          }
          const head = yield* scrape(port, "/metrics", { method: "HEAD" })
          expect([head.status, yield* Effect.promise(() => head.text())]).toEqual([200, ""])
          const elsewhere = yield* scrape(port, "/")
          expect([elsewhere.status, yield* Effect.promise(() => elsewhere.text())]).toEqual([404, "Only /metrics is served here.\n"])
          const posted = yield* scrape(port, "/metrics", { method: "POST", body: "x" })
          expect([posted.status, yield* Effect.promise(() => posted.text())]).toEqual([405, "Only GET and HEAD are served here.\n"])
          const broken = yield* Effect.promise(() => exchange(port, "GET //[ HTTP/1.1\r\nHost: x\r\n\r\n"))
          expect(broken).toStartWith("HTTP/1.1 400 ")
        })
      )
    )
  })

  test("a port in use is a fault with the setting's name; the port is free after the scope closes", async () => {
    const at = { ...local, port: await freePort() }
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          yield* listenForScrapes(at, () => "")
          const fault = yield* Effect.flip(listenForScrapes(at, () => ""))
          expect([fault.code, fault.message.includes("franz.metrics.listener")]).toEqual(["EADDRINUSE", true])
        })
      )
    )
    await Effect.runPromise(Effect.scoped(listenForScrapes(at, () => "")))
  })

  test(
    "connections over the bound are closed, and leave room for a scrape",
    () =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const { port } = yield* listenForScrapes(local, () => "fine\n")
            const isClosed = Array.from({ length: 40 }, () => {
              const socket = connect(port, "127.0.0.1").on("error", () => {})
              return { socket, closed: new Promise<void>((resolve) => void socket.once("close", () => resolve())) }
            })
            // Which of them are over the bound is the kernel's choice.
            let closed = 0
            yield* Effect.promise(() => new Promise<void>((resolve) => isClosed.forEach((each) => void each.closed.then(() => ++closed === 8 && resolve()))))
            for (const { socket } of isClosed.slice(0, 20)) socket.destroy()
            expect(
              (yield* Effect.retry(
                Effect.tryPromise(() => fetch(`http://127.0.0.1:${port}/metrics`)),
                { times: 100 }
              )).status
            ).toBe(200)
            for (const { socket } of isClosed) socket.destroy()
          })
        )
      ),
    300_000
  )

  test("a connection that does not send HTTP is closed, and the next scrape works", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { port } = yield* listenForScrapes(local, () => "fine\n")
          const closed = yield* Effect.promise(
            () =>
              new Promise<boolean>((resolve) => {
                void Bun.connect({
                  hostname: "127.0.0.1",
                  port,
                  socket: { open: (socket) => void socket.write("\u0000\u0001 no http\r\n\r\n"), data: () => {}, close: () => resolve(true) }
                })
              })
          )
          expect(closed).toBe(true)
          expect((yield* scrape(port)).status).toBe(200)
        })
      )
    ))
})
