import { describe, expect, test } from "bun:test"
import { Either } from "effect"
import fc from "fast-check"
import { nodeListeners, parseAddress } from "../../../../domain/kernel/config/listener.ts"
import { loadConfig } from "../../../../domain/kernel/config/properties.ts"

/** Settings as `name=value; name=value`. */
const read = (text: string) => {
  const assignments = text.split(";").map((entry) => {
    const at = entry.indexOf("=")
    return { name: entry.slice(0, at).trim(), value: entry.slice(at + 1).trim(), from: "file" }
  })
  return Either.flatMap(
    Either.mapLeft(loadConfig(assignments), ([first]) => first?.message ?? ""),
    ({ config, set }) => Either.mapLeft(nodeListeners(config, set), ({ message }) => message)
  )
}
const good = (text: string) => Either.getOrThrowWith(read(text), (message) => new Error(message))
const wrong = (text: string) => Either.getOrElse(Either.flip(read(text)), () => "")
const combined = "process.roles=broker,controller;controller.listener.names=CONTROLLER"

describe("opened listeners", () => {
  test("every listener, by its name; the one of Apache Kafka's image that comes first serves no clients", () => {
    const image =
      "listeners=CONTROLLER://localhost:9091,HOST://0.0.0.0:9092,DOCKER://0.0.0.0:9093;advertised.listeners=HOST://localhost:9092,DOCKER://broker:9093;inter.broker.listener.name=DOCKER;listener.security.protocol.map=CONTROLLER:PLAINTEXT,DOCKER:PLAINTEXT,HOST:PLAINTEXT"
    expect(good(`${combined};${image}`)).toEqual({
      interBroker: "DOCKER",
      all: [
        { name: "CONTROLLER", host: "localhost", port: 9091, isController: true, advertised: undefined },
        { name: "HOST", host: "0.0.0.0", port: 9092, isController: false, advertised: { host: "localhost", port: 9092 } },
        { name: "DOCKER", host: "0.0.0.0", port: 9093, isController: false, advertised: { host: "broker", port: 9093 } }
      ]
    })
  })
  test.each([
    ["listeners=PLAINTEXT://:9092", "PLAINTEXT", [["PLAINTEXT", "", 9092]]],
    ["listeners=plaintext://[::1]:0", "PLAINTEXT", [["PLAINTEXT", "::1", 0]]],
    ["listeners=localhost:9093", "PLAINTEXT", [["PLAINTEXT", "localhost", 9093]]],
    // Kafka requires inter.broker.listener.name here; a node chooses PLAINTEXT, or the first listener.
    [
      "listeners=IN://a:1,OUT://a:2;listener.security.protocol.map=IN:PLAINTEXT,OUT:PLAINTEXT",
      "IN",
      [
        ["IN", "a", 1],
        ["OUT", "a", 2]
      ]
    ],
    [
      "listeners=IN://a:1,PLAINTEXT://a:2;listener.security.protocol.map=IN:PLAINTEXT,PLAINTEXT:PLAINTEXT",
      "PLAINTEXT",
      [
        ["IN", "a", 1],
        ["PLAINTEXT", "a", 2]
      ]
    ],
    [
      "listeners=A://127.0.0.1:1,B://[::1]:1;listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT",
      "A",
      [
        ["A", "127.0.0.1", 1],
        ["B", "::1", 1]
      ]
    ],
    [
      `${combined};listeners=PLAINTEXT://:1,CONTROLLER://:2`,
      "PLAINTEXT",
      [
        ["PLAINTEXT", "", 1],
        ["CONTROLLER", "", 2]
      ]
    ],
    // Kafka requires a map; a listener named PLAINTEXT needs none.
    [
      "listeners=PLAINTEXT_HOST://a:1,PLAINTEXT://a:2",
      "PLAINTEXT",
      [
        ["PLAINTEXT_HOST", "a", 1],
        ["PLAINTEXT", "a", 2]
      ]
    ],
    ["process.roles=controller;controller.listener.names=C;listeners=C://a:1", "C", [["C", "a", 1]]]
  ] as const)("%s", (text, interBroker, sockets) => {
    const found = good(text)
    expect(found.interBroker).toBe(interBroker)
    expect(found.all.map(({ host, name, port }) => [name, host, port])).toEqual(sockets as unknown as Array<Array<string | number>>)
  })
})

describe("listeners that fail the start", () => {
  test.each([
    ["listeners=EXTERNAL://a:1;listener.security.protocol.map=EXTERNAL:SASL_SSL", "EXTERNAL is a listener of SASL_SSL, which is not built yet"],
    ["listeners=PLAINTEXT://a:1,SSL://a:2", "SSL is a listener of SSL"],
    ["listeners=SASL_PLAINTEXT://a:1", "SASL_PLAINTEXT is a listener of SASL_PLAINTEXT"],
    [
      `${combined};listeners=PLAINTEXT://a:1,CONTROLLER://a:2;listener.security.protocol.map=CONTROLLER:SSL,PLAINTEXT:PLAINTEXT`,
      "CONTROLLER is a listener of SSL"
    ],
    ["listeners=PLAINTEXT://a:1;listener.security.protocol.map=PLAINTEXT:SSL", "PLAINTEXT is a listener of SSL"],
    ["listeners=PLAINTEXT_HOST://a:1;listener.security.protocol.map=PLAINTEXT:PLAINTEXT", "no security protocol defined for listener PLAINTEXT_HOST"],
    ["listeners=EXTERNAL://a:1", "no security protocol defined for listener EXTERNAL"],
    ["listeners=A://a:1;listener.security.protocol.map=A:FOO", "Invalid security protocol FOO"],
    ["listeners=A://a:1;listener.security.protocol.map=A", "expected NAME:PROTOCOL"],
    ["listeners=PLAINTEXT://a:1,PLAINTEXT://a:2", "each listener must have a different name"],
    ["listeners=PLAINTEXT://a:1,PLAINTEXT_B://a:1", "each listener must have a different port"],
    ["listeners=PLAINTEXT://127.0.0.1:1,PLAINTEXT_B://127.0.0.2:1", "one has an IPv4 address and the other an IPv6 address"],
    ["listeners=", "expected one at least"],
    ["listeners=:9092", "unable to parse"],
    ["listeners=9092", "unable to parse"],
    ["listeners=PLAINTEXT://h:99999", "unable to parse"],
    ["listeners=PLAINTEXT://::1:9092", "unable to parse"],
    ["listeners=PLAINTEXT://h:-1", "unable to parse"],
    ["listeners=PLAINTEXT://a:1;advertised.listeners=FOO://a:1", "Found FOO; there are PLAINTEXT"],
    ["listeners=PLAINTEXT://a:1;advertised.listeners=PLAINTEXT://0.0.0.0:1", "nonroutable meta-address 0.0.0.0"],
    ["listeners=PLAINTEXT://a:1;advertised.listeners=PLAINTEXT://[::]:1", "nonroutable meta-address ::"],
    ["listeners=PLAINTEXT://a:1;inter.broker.listener.name=FOO", "it must name one of the listeners for clients, which are PLAINTEXT"],
    ["listeners=PLAINTEXT://a:1;inter.broker.listener.name=PLAINTEXT;security.inter.broker.protocol=PLAINTEXT", "Only one of inter.broker.listener.name"],
    ["listeners=PLAINTEXT_A://a:1;security.inter.broker.protocol=PLAINTEXT", "it must name one of the listeners"],
    ["listeners=PLAINTEXT://a:1;security.inter.broker.protocol=SSL", "security.inter.broker.protocol=SSL"],
    ["listeners=PLAINTEXT://a:1;early.start.listeners=FOO", "early.start.listeners contains listener FOO"],
    [`${combined};listeners=PLAINTEXT://a:1`, "must contain at least one value appearing in the 'listeners'"],
    [`${combined};listeners=CONTROLLER://a:1`, "at least one listener for clients"],
    [`${combined};listeners=PLAINTEXT://a:1,CONTROLLER://a:2;inter.broker.listener.name=CONTROLLER`, "it must name one of the listeners for clients"],
    [
      "process.roles=broker;controller.listener.names=CONTROLLER;listeners=PLAINTEXT://a:1,CONTROLLER://a:2",
      "must not contain a value appearing in the 'listeners'"
    ],
    ["process.roles=controller;controller.listener.names=CONTROLLER;listeners=PLAINTEXT://a:1,CONTROLLER://a:2", "must all be of controller.listener.names"]
  ])("%s", (text, sentence) => expect(wrong(text)).toContain(sentence))
  test("no text of a listener is served by another protocol than PLAINTEXT, nor throws", () => {
    const word = fc.constantFrom("PLAINTEXT", "SSL", "SASL_SSL", "A", "CONTROLLER", "", ":", "://", ",", "h", "1", "[::1]", "0.0.0.0")
    const text = fc.array(word, { maxLength: 12 }).map((words) => words.join(""))
    fc.assert(
      fc.property(text, text, (listeners, map) => {
        const found = read(`listeners=${listeners};listener.security.protocol.map=${map}`)
        if (Either.isLeft(found)) return
        for (const { name } of found.right.all) expect(map.toUpperCase()).toContain(`${name}:PLAINTEXT`)
      })
    )
  })
})

test("an address of another node", () => {
  expect(parseAddress("[::1]:9092")).toEqual({ host: "::1", port: 9092 })
  for (const none of ["", "a", ":1", "a:0", "a:70000"]) expect(parseAddress(none)).toBeUndefined()
})
