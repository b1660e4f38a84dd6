import { describe, expect, test } from "bun:test"
import { Either } from "effect"
import fc from "fast-check"
import { loadConfig, parseOption, parseProperties, parseVariables } from "../../../../domain/kernel/config/properties.ts"
import { nodeSetting, textOf, topicConfig } from "../../../../domain/kernel/config.ts"
import { nearest } from "../../../../domain/kernel/nearest.ts"

const load = (text: string) => loadConfig(parseProperties(text, "server.properties"))
const messages = (text: string) => Either.match(load(text), { onLeft: (faults) => faults.map(({ message }) => message), onRight: () => [] })

describe("server.properties", () => {
  test("Kafka's names are read, with comments, both separators and continued lines", () => {
    const loaded = Either.getOrThrow(load("# ours\nnode.id=3\nnum.partitions: 6\nlog.dirs = /a/\\\n  b\n\nauto.create.topics.enable=FALSE\n"))
    expect(loaded.config).toMatchObject({
      "node.id": 3,
      "num.partitions": 6,
      "log.dirs": "/a/b",
      "auto.create.topics.enable": false,
      "message.max.bytes": 1_048_588
    })
    expect([...loaded.set]).toEqual(["node.id", "num.partitions", "log.dirs", "auto.create.topics.enable"])
  })
  test("a comment that ends in a backslash does not continue; escapes are decoded, and an invalid one names its line", () => {
    const loaded = Either.getOrThrow(load("# c:\\data\\\nnode.id=3\nlog.dirs=/a\\u0020b\\:c\n"))
    expect(loaded.config).toMatchObject({ "node.id": 3, "log.dirs": "/a b:c" })
    expect(messages("node.id=3\nlog.dirs=/a\\user\n")).toEqual([
      "server.properties:2: \\user: expected four hexadecimal digits after \\u; a backslash itself is written \\\\."
    ])
  })
  test("an unknown name is an error that names the line and the nearest setting", () => {
    expect(messages("\nnum.partition=3")).toEqual(["server.properties:2: there is no setting 'num.partition'. Did you mean 'num.partitions'?"])
  })
  test("a value out of range names the setting, the value and the range; all mistakes are reported at once", () => {
    expect(messages("num.partitions=0\nnode.id=x")).toEqual([
      "server.properties:1: num.partitions=0: expected a whole number from 1 to 10000.",
      "server.properties:2: node.id=x: expected a whole number from 0 to 2147483647."
    ])
  })
  test("tuning of Kafka's threads and sockets is ignored with a note; settings that would change the retained data are refused", () => {
    expect(Either.getOrThrow(load("num.io.threads=8\nprocess.roles=broker,controller")).warnings).toHaveLength(1)
    expect(messages("sasl.enabled.mechanisms=PLAIN")[0]).toContain("docs/skipped.md")
    expect(messages("log.cleanup.policy=keep")[0]).toBe("server.properties:1: log.cleanup.policy=keep: expected a list of compact, delete.")
  })
  test.each([
    ["", 604_800_000],
    ["log.retention.hours=2", 7_200_000],
    ["log.retention.hours=2\nlog.retention.minutes=3", 180_000],
    ["log.retention.ms=5\nlog.retention.hours=2\nlog.retention.minutes=3", 5],
    ["log.retention.hours=-1", -1],
    ["log.retention.ms=-1\nlog.retention.hours=2", -1]
  ])("how long records are kept, the finest unit first: %j is %d ms", (lines, ms) => expect(Either.getOrThrow(load(lines)).config["log.retention.ms"]).toBe(ms))
  test("Java's largest long means no bound", () => {
    expect(Either.getOrThrow(load("log.roll.ms=9223372036854775807")).config["log.roll.ms"]).toBe(Number.MAX_SAFE_INTEGER)
  })
  test("what Java stored is read as Java reads it", () => {
    expect(parseProperties("listeners=PLAINTEXT\\://h\\:1\nx=a\\u0041b", "f").map(({ value }) => value)).toEqual(["PLAINTEXT://h:1", "aAb"])
  })
  test("later assignments win", () => {
    const option = Either.getOrThrow(parseOption("num.partitions=9"))
    expect(Either.getOrThrow(loadConfig([...parseProperties("num.partitions=2", "f"), option])).config["num.partitions"]).toBe(9)
    expect(Either.isLeft(parseOption("num.partitions"))).toBe(true)
  })
  test("any text gives settings or faults, never a throw", () => fc.assert(fc.property(fc.string({ maxLength: 300 }), (text) => Either.isEither(load(text)))))
})

describe("KAFKA_ variables", () => {
  test("known names are applied, mistakes are errors, and other programs' variables are ignored", () => {
    const taken = parseVariables({
      KAFKA_NUM_PARTITIONS: "4",
      KAFKA_NUM_PARTITION: "4",
      KAFKA_HEAP_OPTS: "-Xmx1g",
      KAFKA_BROKERS: "a:1",
      KAFKA_BROKER_URL: "a:1",
      KAFKA_PORT: "tcp://10.0.0.1:9092",
      KAFKA_SERVICE_HOST: "10.0.0.1",
      KAFKA_JMX_PORT: "9999",
      KAFKA_JMX_OPTS: "-Dx",
      KAFKA_OPTS: "-Dx",
      KAFKA_JVM_PERFORMANCE_OPTS: "-server",
      KAFKA_LOG4J_OPTS: "-Dx",
      KAFKA_LOG4J_LOGGERS: "kafka=INFO",
      KAFKA_LOG4J_ROOT_LOGLEVEL: "INFO",
      KAFKA_TOOLS_LOG4J_LOGLEVEL: "INFO",
      KAFKA_GC_LOG_OPTS: "-Dx",
      KAFKA_DEBUG: "y",
      KAFKA_CLUSTER_ID: "x",
      KAFKA_VERSION: "4.1",
      KAFKA_TOPIC: "t",
      KAFKA_GROUP_ID: "g",
      KAFKA_BOOTSTRAP_SERVERS: "a:1",
      KAFKA_HOME: "/k",
      HOME: "/h"
    })
    expect(taken.map(({ name }) => name)).toEqual(["num.partitions", "num.partition"])
  })
  test("those of Bitnami's image are the same settings, and its own switches are ignored", () => {
    const variables = { KAFKA_CFG_NODE_ID: "3", KAFKA_CFG_LISTENERS: "PLAINTEXT://:9092", ALLOW_PLAINTEXT_LISTENER: "yes", KAFKA_ENABLE_KRAFT: "yes" }
    const loaded = Either.getOrThrow(loadConfig(parseVariables(variables)))
    expect([...loaded.set]).toEqual(["node.id", "listeners"])
    const mistyped = loadConfig(parseVariables({ KAFKA_CFG_NUM_PARTITION: "3" }))
    expect(Either.getOrThrow(Either.flip(mistyped))[0]?.message).toBe(
      "KAFKA_CFG_NUM_PARTITION: there is no setting 'num.partition'. Did you mean 'num.partitions'?"
    )
  })
  test("those of Apache Kafka's image are its settings", () => {
    const image = {
      KAFKA_NODE_ID: "1",
      KAFKA_PROCESS_ROLES: "broker,controller",
      KAFKA_LISTENERS: "CONTROLLER://:9093,PLAINTEXT://:9092",
      KAFKA_CONTROLLER_QUORUM_VOTERS: "1@localhost:9093",
      KAFKA_ZOOKEEPER_CONNECT: "zk:2181"
    }
    const loaded = Either.getOrThrow(loadConfig(parseVariables({ ...image, CLUSTER_ID: "x", KAFKA_HEAP_OPTS: "-Xmx1g" })))
    expect([...loaded.set]).toEqual(["node.id", "process.roles", "listeners", "controller.quorum.voters"])
    expect(loaded.warnings[0]).toContain("zookeeper.connect (there is no ZooKeeper)")
  })
})

describe("the nearest word", () => {
  test("finds a misspelt word, and none for an unrelated one", () => {
    expect(nearest("subscirbe", ["subscribe", "unsubscribe", "poll"])).toBe("subscribe")
    expect(nearest("zzzzzz", ["subscribe", "poll"])).toBeUndefined()
  })
})

describe("a topic's settings", () => {
  test("take precedence over the node's", () => {
    const node = Either.getOrThrow(load("message.max.bytes=500")).config
    expect(topicConfig(node, { "segment.bytes": "1000" })).toMatchObject({ "segment.bytes": 1000, "max.message.bytes": 500 })
  })
})

describe("a double as Java writes it", () => {
  test.each([
    [0.5, "0.5"],
    [1, "1.0"],
    [9_999_999, "9999999.0"],
    [10_000_000, "1.0E7"],
    [Number.MAX_VALUE, "1.7976931348623157E308"],
    [0.0005, "5.0E-4"]
  ])("%p is %p", (value, text) => expect(textOf(nodeSetting("log.cleaner.io.max.bytes.per.second"), value)).toBe(text))
})
