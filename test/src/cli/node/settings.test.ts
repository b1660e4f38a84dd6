import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Either, Option } from "effect"
import { type NodeWords, nodeSettings, parseAddress } from "../../../../src/cli/node/settings.ts"

let directory = ""
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "franz-settings-"))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const file = (text: string): Option.Option<string> => {
  const path = join(directory, "server.properties")
  writeFileSync(path, text)
  return Option.some(path)
}
const none: NodeWords = { port: Option.none(), host: Option.none(), data: Option.none(), config: Option.none(), set: [] }
const settings = (words: Partial<NodeWords>, id?: number) => Effect.runSync(Effect.either(nodeSettings({ ...none, ...words }, { id, data: "./data" })))
const good = (words: Partial<NodeWords>, id?: number) => Either.getOrThrowWith(settings(words, id), ({ message }) => new Error(message))
const wrong = (words: Partial<NodeWords>): string => Either.getOrThrow(Either.flip(settings(words))).message

const withVariable = <A>(name: string, value: string, run: () => A): A => {
  process.env[name] = value
  try {
    return run()
  } finally {
    delete process.env[name]
  }
}

describe("what wins", () => {
  test("nothing said: Kafka's port on this machine alone, and data where the command says", () => {
    const { dataByDefault, node } = good({})
    expect(node.listeners.all).toMatchObject([{ host: "127.0.0.1", port: 9092 }])
    expect(node.data).toEqual(["./data"])
    expect(dataByDefault).toBe(true)
  })
  test("the file over the defaults, a variable over the file, -X over the variable", () => {
    const config = file("num.partitions=2\nlog.segment.bytes=2000\nmessage.max.bytes=2000")
    const { node } = withVariable("KAFKA_LOG_SEGMENT_BYTES", "3000", () =>
      withVariable("KAFKA_MESSAGE_MAX_BYTES", "3000", () => good({ config, set: ["message.max.bytes=4000"] }))
    )
    expect(node.config["num.partitions"]).toBe(2)
    expect(node.config["log.segment.bytes"]).toBe(3000)
    expect(node.config["message.max.bytes"]).toBe(4000)
  })
  test("the options over all: --port, --host, --data, --id", () => {
    const config = file("listeners=PLAINTEXT://10.0.0.1:7000\nlog.dirs=/from/file\nnode.id=5")
    expect(good({ config }).node).toMatchObject({ listeners: { all: [{ host: "10.0.0.1", port: 7000 }] }, data: ["/from/file"], config: { "node.id": 5 } })
    const { node } = good({ config, port: Option.some(0), host: Option.some("127.0.0.2"), data: Option.some("/here") }, 7)
    expect(node).toMatchObject({ listeners: { all: [{ host: "127.0.0.2", port: 0 }] }, data: ["/here"], config: { "node.id": 7 } })
  })
  test("DescribeConfigs shows what applies, and what was written", () => {
    const { node } = good({ data: Option.some("/one,/two"), port: Option.some(7001), set: ["log.roll.ms=5"] })
    expect(node.config).toMatchObject({ listeners: "PLAINTEXT://127.0.0.1:7001", "log.dirs": "/one,/two" })
    expect([...(node.written ?? [])].sort()).toEqual(["broker.id", "listeners", "log.dirs", "log.roll.ms", "node.id"])
    expect([...(good({}).node.written ?? [])]).toEqual(["node.id", "broker.id"])
  })
  test("advertised.listeners is what clients are told", () =>
    expect(good({ set: ["advertised.listeners=PLAINTEXT://kafka.example:9999"] }).node.listeners.all[0]?.advertised).toMatchObject({
      host: "kafka.example",
      port: 9999
    }))
  test("--port and --host move the first listener for clients, and leave the others", () => {
    const set = [
      "listeners=CONTROLLER://:9093,A://a:1,B://b:2",
      "controller.listener.names=CONTROLLER",
      "listener.security.protocol.map=CONTROLLER:PLAINTEXT,A:PLAINTEXT,B:PLAINTEXT"
    ]
    const { node, warnings } = good({ set, port: Option.some(7), host: Option.some("::1") })
    expect(node.config.listeners).toBe("CONTROLLER://:9093,A://[::1]:7,B://b:2")
    expect(warnings).toEqual(["CONTROLLER://:9093: listens on all addresses of this machine, and there is no authentication yet"])
    expect(wrong({ set, port: Option.some(2) })).toContain("each listener must have a different port")
  })
  test("a broker's id may be in its settings, and must be given", () => {
    const broker = (words: Partial<NodeWords>) =>
      Effect.runSync(Effect.either(nodeSettings({ ...none, ...words }, { id: undefined, data: "./data/broker", needsId: true })))
    expect(Either.getOrThrow(broker({ set: ["node.id=4"] })).node.data).toEqual(["./data/broker-4"])
    expect(Either.getOrThrow(Either.flip(broker({}))).message).toContain("--id must be given, or node.id")
  })
})

describe("--id auto", () => {
  const auto = (words: Partial<NodeWords>) =>
    Effect.runSync(Effect.either(nodeSettings({ ...none, ...words }, { id: undefined, data: "./data/broker", needsId: true, isIdFromLeader: true })))
  test("the leader gives the id, and the data directory is named by neither", () =>
    expect(Either.getOrThrow(auto({})).node).toMatchObject({ idFromLeader: true, data: ["./data/broker-auto"] }))
  test("an id in the settings beside it is refused", () =>
    expect(Either.getOrThrow(Either.flip(auto({ set: ["node.id=4"] }))).message).toBe("--id auto: the settings have node.id=4. Remove one of the two."))
})

describe("what is wrong", () => {
  test("an unknown name: where it stands, and the nearest one", () =>
    expect(wrong({ config: file("# mine\nnum.partition=3") })).toMatch(
      /server\.properties:2: there is no setting 'num\.partition'\. Did you mean 'num\.partitions'\?/
    ))
  test("every mistake at once", () => expect(wrong({ set: ["num.partitions=x", "log.dirrs=1"] }).split("\n")).toHaveLength(2))
  test("a setting that asks for what is not built", () => expect(wrong({ set: ["sasl.enabled.mechanisms=PLAIN"] })).toContain("docs/skipped.md"))
  test("a file that is not there", () => expect(wrong({ config: Option.some(join(directory, "missing")) })).toContain("missing"))
  test("a port that is none", () => expect(wrong({ port: Option.some(70_000) })).toBe("--port 70000: expected a port from 0 to 65535."))
  test("TLS", () => expect(wrong({ set: ["listeners=SSL://:9093"] })).toContain("not built"))
})

test("an address is HOST:PORT, or a port on this machine", () => {
  expect(Effect.runSync(parseAddress("--leader", "a.example:1"))).toEqual({ host: "a.example", port: 1 })
  expect(Effect.runSync(parseAddress("--leader", "9092"))).toEqual({ host: "127.0.0.1", port: 9092 })
  expect(Effect.runSync(parseAddress("--leader", "[::1]:9092"))).toEqual({ host: "::1", port: 9092 })
  expect(Effect.runSync(Effect.flip(parseAddress("--leader", "nowhere"))).message).toBe("--leader nowhere: expected HOST:PORT, e.g. 127.0.0.1:9092.")
})
