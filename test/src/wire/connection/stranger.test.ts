import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { requestFrame } from "../../../../src/protocol/codec/frame.ts"
import { Metadata } from "../../../../src/protocol/message/03-metadata.ts"
import { Heartbeat } from "../../../../src/protocol/message/12-heartbeat.ts"
import { ApiVersions } from "../../../../src/protocol/message/18-api-versions.ts"
import { BrokerHeartbeat } from "../../../../src/protocol/message/63-broker-heartbeat.ts"
import { type AnyApi, api, text } from "../../../../src/protocol/type/wire.ts"
import { route } from "../../../../src/wire/route.ts"
import { beat, eventually, heartbeat, inVirtualTime, onStage, type Raw, reply, transports } from "../harness.ts"

const bytesOf = (what: string | ReadonlyArray<number>): Uint8Array => (typeof what === "string" ? new TextEncoder().encode(what) : new Uint8Array(what))
/** A request frame with a header of our own: key, version, correlation id, client id "x" (and no tags). */
const headed = (key: number, version: number, body: ReadonlyArray<number> = [], flexible = false): Uint8Array => {
  const frame = [...int16(key), ...int16(version), 0, 0, 0, 77, 0, 1, 120, ...(flexible ? [0] : []), ...body]
  return bytesOf([...int32(frame.length), ...frame])
}
const int16 = (value: number) => [(value >> 8) & 255, value & 255]
const int32 = (value: number) => [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]

const bad: ReadonlyArray<readonly [what: string, bytes: Uint8Array, line: RegExp]> = [
  [
    "an HTTP request",
    bytesOf("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    // As much of the line as came with the first bytes.
    /looks like an HTTP request \(GET .*\): this port speaks the Kafka protocol/
  ],
  ["a TLS handshake", bytesOf([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), /looks like a TLS handshake/],
  ["a negative length", bytesOf([0xff, 0xff, 0xff, 0xfe, 1, 2, 3]), /announces a request of -2 bytes/],
  ["a length over the bound", bytesOf([0x7f, 0, 0, 0, 1, 2, 3]), /over socket.request.max.bytes=10000000/],
  ["an empty request", bytesOf([0, 0, 0, 0]), /malformed request: field header, byte 0/],
  ["garbage in a frame", bytesOf([0, 0, 0, 5, 0, 12, 0, 4, 9]), /malformed request: field header, byte 4/],
  ["a body that is cut", headed(12, 0, [0, 1, 103]), /malformed Heartbeat version 0: field generationId, byte 14/],
  ["a key that does not exist", headed(999, 0), /API key 999, which does not exist/],
  ["a key that is not served", headed(19, 7, [], true), /CreateTopics \(API key 19\), which this node does not serve/],
  ["a version that is not served", headed(12, 9, [], true), /Heartbeat version 9; versions 0 to 4 are served/]
]

for (const [name, layer] of transports) {
  describe(`bytes of another protocol, ${name}`, () => {
    test("close the connection with a line that names the protocol, and leave other connections open", () =>
      onStage(layer(), [heartbeat(reply)], ({ raw, lines }) =>
        Effect.gen(function* () {
          const other = yield* raw
          for (const [what, bytes, line] of bad) {
            const client = yield* raw
            const before = lines.length
            client.connection.write([bytes])
            yield* eventually(`${what}: closed`, () => client.closedBy !== undefined)
            // Kinds that came often are counted, not written.
            if (lines.length > before) expect(lines.at(-1)?.text).toMatch(line)
            expect(client.frames.length).toBe(0)
          }
          expect(lines.length).toBe(bad.length)
          expect(lines.every(({ level }) => level === "Warning")).toBe(true)
          other.ask(Heartbeat, 4, beat(3))
          yield* eventually("answered", () => other.frames.length === 1)
        })
      ))
  })
}

describe("bytes of another protocol, in pieces", () => {
  for (const [what, bytes, line] of bad)
    test(`${what} is recognized, wherever it is cut`, async () => {
      for (let cut = 1; cut < Math.min(bytes.length, 12); cut++)
        await inVirtualTime([heartbeat(reply)], ({ raw, lines }) =>
          Effect.gen(function* () {
            const client = yield* raw
            client.connection.write([bytes.subarray(0, cut)])
            yield* Effect.sleep(1)
            if (client.closedBy === undefined) client.connection.write([bytes.subarray(cut)])
            yield* Effect.sleep(1)
            expect(client.closedBy).toBeDefined()
            expect(lines.map(({ text: told }) => told)).toEqual([expect.stringMatching(line)])
            expect(client.frames.length).toBe(0)
          })
        )
    })
  test("the line has as much of an HTTP request as arrived", () =>
    inVirtualTime([heartbeat(reply)], ({ raw, lines }) =>
      Effect.gen(function* () {
        const client = yield* raw
        client.connection.write([bytesOf("GET / HTTP/1.1\r\n")])
        yield* Effect.sleep(1)
        expect(lines[0]?.text).toContain("(GET / HTTP/1.1)")
      })
    ))
})

describe("a flood of such connections", () => {
  test("writes a few lines and a count", () =>
    inVirtualTime([heartbeat(reply)], ({ raw, lines }) =>
      Effect.gen(function* () {
        for (let i = 0; i < 50; i++) {
          const client = yield* raw
          client.connection.write([bytesOf("GET / HTTP/1.1\r\n")])
          yield* Effect.sleep(1)
          expect(client.closedBy).toBeDefined()
        }
        expect(lines.length).toBe(5)
        yield* Effect.sleep(20_000)
        const [count = "", ...others] = lines.map(({ text: line }) => line).slice(5)
        expect(count).toStartWith("45 more lines of this kind in 10 s, such as: closed the connection of ")
        expect(others).toEqual([])
      })
    ))
})

describe("requests in pieces", () => {
  test("cut in two at every byte they get the same responses", () =>
    inVirtualTime([heartbeat(reply)], ({ raw }) =>
      Effect.gen(function* () {
        const head = { correlationId: 5, clientId: "pieces" }
        const bytes = Buffer.concat([
          ...requestFrame(ApiVersions, 3, head, { clientSoftwareName: "a", clientSoftwareVersion: "1" }),
          ...requestFrame(Heartbeat, 4, head, beat(1)),
          ...requestFrame(Heartbeat, 0, head, beat(2))
        ])
        const whole = yield* raw
        whole.connection.write([bytes])
        yield* Effect.sleep(1)
        expect(whole.frames.length).toBe(3)
        for (let cut = 1; cut < bytes.length; cut++) {
          const client = yield* raw
          client.connection.write([bytes.subarray(0, cut)])
          yield* Effect.sleep(1)
          client.connection.write([bytes.subarray(cut)])
          yield* Effect.sleep(1)
          expect(client.frames.map((frame) => [...frame])).toEqual(whole.frames.map((frame) => [...frame]))
        }
      })
    ))
})

describe("ApiVersions", () => {
  const routes = [
    route(Metadata, { versions: [1, 9], advertisedMin: 0 }, () => ({ brokers: [], topics: [] })),
    heartbeat(reply),
    route(BrokerHeartbeat, {}, () => ({ errorCode: 0, shouldShutDown: false }))
  ]
  const ask = (use: (client: Raw) => Effect.Effect<void>, identity?: { clusterId: string; nodeId: number }) =>
    inVirtualTime(routes, ({ raw }) => Effect.flatMap(raw, use), identity === undefined ? {} : { identity: () => identity })
  const listed = [
    { apiKey: 3, minVersion: 0, maxVersion: 9 },
    { apiKey: 12, minVersion: 0, maxVersion: 4 },
    { apiKey: 18, minVersion: 0, maxVersion: ApiVersions.latestStable }
  ]

  test("lists the served APIs, in every version", () =>
    ask((client) =>
      Effect.gen(function* () {
        const versions = Array.from({ length: ApiVersions.latestStable + 1 }, (_, i) => i)
        for (const version of versions) client.ask(ApiVersions, version, { clientSoftwareName: "librdkafka", clientSoftwareVersion: "2.3.0" })
        yield* Effect.sleep(1)
        for (const version of versions) {
          const { value } = client.answer(version, ApiVersions, version)
          expect(value.errorCode).toBe(0)
          expect(value.apiKeys).toEqual(listed)
        }
      })
    ))

  test("a version from the future gets version 0 with error 35 and the range (KIP-511)", () =>
    ask((client) =>
      Effect.gen(function* () {
        client.connection.write([headed(18, 99, [1, 2, 3, 4, 5, 6, 7], true)])
        client.ask(Heartbeat, 4, beat(1))
        yield* Effect.sleep(1)
        const { correlationId, value } = client.answer(0, ApiVersions, 0)
        expect(correlationId).toBe(77)
        expect(value.errorCode).toBe(35)
        expect(value.apiKeys).toEqual([{ apiKey: 18, minVersion: 0, maxVersion: ApiVersions.latestStable }])
        expect(client.frames.length).toBe(2)
      })
    ))

  test("an illegal client software name is INVALID_REQUEST", () =>
    ask((client) =>
      Effect.gen(function* () {
        for (const name of ["", "-x", "x y"]) client.ask(ApiVersions, 3, { clientSoftwareName: name, clientSoftwareVersion: "1" })
        yield* Effect.sleep(1)
        expect([0, 1, 2].map((i) => client.answer(i, ApiVersions, 3).value.errorCode)).toEqual([42, 42, 42])
      })
    ))

  test("a client that expects another cluster or node has to bootstrap again (KIP-1242)", () =>
    ask(
      (client) =>
        Effect.gen(function* () {
          const software = { clientSoftwareName: "a", clientSoftwareVersion: "1" }
          for (const [clusterId, nodeId] of [
            ["c", 1],
            ["other", 1],
            ["c", 2],
            [null, -1]
          ] as const) {
            client.ask(ApiVersions, 5, { ...software, clusterId, nodeId })
          }
          yield* Effect.sleep(1)
          expect([0, 1, 2, 3].map((i) => client.answer(i, ApiVersions, 5).value.errorCode)).toEqual([0, 129, 129, 0])
        }),
      { clusterId: "c", nodeId: 1 }
    ))
})

describe("names", () => {
  test("the actor is client id and address, and an unknown API is no reason to fail", () => {
    const seen: Array<string> = []
    const unknown: AnyApi = api({ key: 1234, name: "Unknown", versions: [0, 0] }, { a: text }, { a: text })
    return inVirtualTime(
      [
        heartbeat((id, { actor, clientHost, connectionId }) => (seen.push(`${actor} ${clientHost} ${typeof connectionId}`), reply(id))),
        route(unknown, { access: { audience: "clients", permissions: [] } }, () => ({}) as never)
      ],
      ({ raw }) =>
        Effect.gen(function* () {
          const client = yield* raw
          client.ask(Heartbeat, 4, beat(1))
          client.connection.write(requestFrame(Heartbeat, 4, { correlationId: 9, clientId: null }, beat(2)))
          yield* Effect.sleep(1)
          const peer = `${client.connection.local.host}:${client.connection.local.port}`
          expect(seen).toEqual([`raw@${peer} here number`, `${peer} here number`])
        })
    )
  })
})
