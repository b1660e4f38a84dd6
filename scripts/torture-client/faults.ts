import { Metadata } from "../../src/protocol/message/03-metadata.ts"
import { FindCoordinator } from "../../src/protocol/message/10-find-coordinator.ts"
import { DescribeCluster } from "../../src/protocol/message/60-describe-cluster.ts"
import { changed, type ResponseValue } from "./conversation.ts"
import type { Fault } from "./fault-switch.ts"

const delayMs = 100
/** Less than the time that a node has for a response. */
const slowMs = 1900
/** An error code that Kafka does not have. */
const unknownCode = 9999
/** The length that a response without an end claims, and the pause between its bytes. It is within `responseBytesMax`. */
const endlessBytes = 1024 * 1024
const dripMs = 100
/** No program listens there. */
const nowhere = { host: "127.0.0.1", port: 1 }
const ofAddresses: ReadonlySet<number> = new Set([Metadata.key, FindCoordinator.key, DescribeCluster.key])

const withInt32 = (bytes: Uint8Array, at: number, value: number): Uint8Array => {
  const copy = bytes.slice()
  new DataView(copy.buffer).setInt32(at, value)
  return copy
}
/** Bytes that are the same in each run. */
const noise = (bytes: Uint8Array): Uint8Array => bytes.map((byte, at) => (at < 8 ? byte : (byte ^ (at * 151 + 73)) & 0xff))

/** Returns a copy in which every field of this name, at any depth, has another value. */
const withFields = (value: unknown, change: (name: string, value: unknown) => unknown): unknown => {
  if (Array.isArray(value)) return value.map((one) => withFields(one, change))
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withFields(change(name, one), change)]))
}
const ofValue = (change: (name: string, value: unknown) => unknown) => (value: ResponseValue) => withFields(value, change) as ResponseValue

/** Faults of the network. */
const network: ReadonlyArray<Fault> = [
  {
    name: "a response is cut, and the connection with it",
    onResponse: ({ ends }, { bytes }) => {
      ends.toClient(bytes.slice(0, bytes.length >> 1))
      ends.reset()
    }
  },
  { name: "responses are lost, one-way silence", onResponse: () => {} },
  { name: "requests are lost, one-way silence", onRequest: () => {} },
  { name: "half-open connections", freezes: true, harmless: true },
  { name: "100 ms more for each response", harmless: true, onResponse: ({ ends }, { bytes }) => ends.later(delayMs, () => ends.toClient(bytes)) },
  { name: "a node that takes 1.9 s for each response", onResponse: ({ ends }, { bytes }) => ends.later(slowMs, () => ends.toClient(bytes)) },
  { name: "reset in place of a response", onResponse: ({ ends }) => ends.reset() },
  { name: "reset in place of a request", onRequest: ({ ends }) => ends.reset() }
]

/** A broker that lies. */
const lies: ReadonlyArray<Fault> = [
  { name: "another correlation id", onResponse: ({ ends }, { bytes, correlationId }) => ends.toClient(withInt32(bytes, 4, correlationId ^ 0x0101_0101)) },
  { name: "a negative length", onResponse: ({ ends }, { bytes }) => ends.toClient(withInt32(bytes, 0, -5)) },
  { name: "a length of 2 GiB", onResponse: ({ ends }, { bytes }) => ends.toClient(withInt32(bytes, 0, 0x7fff_ffff)) },
  {
    name: "a frame that ends within its fields",
    onResponse: ({ ends }, { bytes }) => {
      const short = bytes.slice(0, Math.max(8, bytes.length - 3))
      ends.toClient(withInt32(short, 0, short.length - 4))
    }
  },
  { name: "bytes that are no response", onResponse: ({ ends }, { bytes }) => ends.toClient(noise(bytes)) },
  { name: "a response of HTTP", onResponse: ({ ends }) => ends.toClient(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n")) },
  { name: "each response twice", onResponse: ({ ends }, { bytes }) => (ends.toClient(bytes.slice()), ends.toClient(bytes.slice())) },
  { name: "an error code that Kafka does not have", onResponse: ({ ends }, response) => ends.toClient(changed(response, ofValue(unknownCodes))) },
  {
    name: "a response without an end",
    onResponse: ({ ends }, { bytes }) => {
      ends.toClient(withInt32(bytes.slice(0, 12), 0, endlessBytes))
      const drip = (left: number): void => {
        if (left === 0) return
        ends.toClient(new Uint8Array(1))
        ends.later(dripMs, () => drip(left - 1))
      }
      drip(600)
    }
  },
  {
    name: "nodes where no program listens",
    apiKeys: ofAddresses,
    onResponse: ({ ends }, response) =>
      ends.toClient(
        changed(
          response,
          ofValue((name, value) => (name === "host" ? nowhere.host : name === "port" ? nowhere.port : value))
        )
      )
  },
  {
    name: "leaders that are no nodes",
    apiKeys: new Set([Metadata.key]),
    onResponse: ({ ends }, response) =>
      ends.toClient(
        changed(
          response,
          ofValue((name, value) => (name === "leaderId" ? 4711 : value))
        )
      )
  },
  {
    name: "a cluster without nodes",
    apiKeys: new Set([Metadata.key, DescribeCluster.key]),
    onResponse: ({ ends }, response) =>
      ends.toClient(
        changed(
          response,
          ofValue((name, value) => (name === "brokers" ? [] : value))
        )
      )
  }
]
const unknownCodes = (name: string, value: unknown): unknown => (name === "errorCode" ? unknownCode : value)

export const faults: ReadonlyArray<Fault> = [...network, ...lies]
