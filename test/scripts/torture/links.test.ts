import { afterEach, expect, test } from "bun:test"
import * as net from "node:net"
import { type End, Links } from "../../../scripts/torture/links.ts"
import { until } from "../../interop/support/process.ts"

const opened: Array<{ close: () => void }> = []
afterEach(() => {
  for (const each of opened.splice(0)) each.close()
})

/** A server that returns what it is sent. */
const echo = async (): Promise<number> => {
  const server = net.createServer((socket) => socket.on("error", () => {}).pipe(socket))
  opened.push({ close: () => void server.close() })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return (server.address() as net.AddressInfo).port
}
const linksTo = async (from: End | undefined) => {
  const links = new Links()
  opened.push(links)
  const target = await echo()
  return { links, target, port: await links.open("broker-2", target, from) }
}
/** A connection, and what it was sent. */
const dial = (port: number) => {
  const socket = net.connect(port, "127.0.0.1").on("error", () => {})
  const seen = { text: "", isClosed: false }
  socket.setEncoding("latin1").on("data", (text: string) => (seen.text += text))
  socket.on("close", () => (seen.isClosed = true))
  opened.push({ close: () => void socket.destroy() })
  return { socket, seen }
}
/** The first request of a connection, with a client id. */
const requestOf = (clientId: string): Buffer => {
  const id = Buffer.from(clientId)
  const frame = Buffer.alloc(14 + id.length)
  frame.writeInt32BE(frame.length - 4, 0)
  frame.writeInt16BE(id.length, 12)
  id.copy(frame, 14)
  return frame
}

test("a cut carries nothing and closes nothing; what was sent meanwhile arrives when it is over", async () => {
  const { links, port } = await linksTo("clients")
  const { seen, socket } = dial(port)
  socket.write("before ")
  await until("the echo", () => seen.text === "before ")
  links.cut((from, to) => from === "clients" && to === "broker-2")
  socket.write("meanwhile")
  const other = dial(port)
  other.socket.write("new")
  await until("the new connection is accepted", () => other.socket.bytesWritten === 3)
  expect([seen.text, seen.isClosed, other.seen.text]).toEqual(["before ", false, ""])
  links.heal()
  await until("what was sent arrives", () => seen.text === "before meanwhile" && other.seen.text === "new")
})

test("a connection between brokers is told by its client id, and only the brokers that are cut are silent", async () => {
  const { links, port } = await linksTo(undefined)
  links.cut((from, to) => (from === "broker-1" && to === "broker-2") || (from === "broker-2" && to === "broker-1"))
  const [first, third] = [dial(port), dial(port)]
  first.socket.write(requestOf("broker-1-fetcher-2"))
  third.socket.write(requestOf("broker-3-fetcher-2"))
  await until("broker 3 has its response", () => third.seen.text.endsWith("broker-3-fetcher-2"))
  expect(first.seen.text).toBe("")
  links.heal()
  await until("broker 1 has its response", () => first.seen.text.endsWith("broker-1-fetcher-2"))
})

test("a process that has ended refuses connections, until it runs again", async () => {
  const { links, port, target } = await linksTo("clients")
  const accept = links.refuse("broker-2", new Map([[port, { port: target, from: "clients" }]]))
  const refused = dial(port)
  await until("the connection is refused", () => refused.seen.isClosed)
  await accept()
  const { seen, socket } = dial(port)
  socket.write("again")
  await until("the echo", () => seen.text === "again")
})
