import * as net from "node:net"
import { Effect, Layer } from "effect"
import { type Address, type ConnectFault, type Connection, type Listener, type ListenFault, Transport } from "../../src/ports/transport.ts"
import { connecting } from "./connecting.ts"
import { connectFault, listenFault } from "./fault.ts"
import { endAll } from "./linger.ts"
import { NodeConnection } from "./node-connection.ts"
import { connectTls } from "./tls.ts"

const listen = (address: Address, accept: (connection: Connection) => Listener) => {
  const accepted = new Set<NodeConnection>()
  const server = net.createServer({ noDelay: true }, (socket) => {
    const connection = new NodeConnection(socket, (gone) => accepted.delete(gone))
    accepted.add(connection)
    connection.listener = accept(connection)
  })
  const started = Effect.async<Address, ListenFault>((resume) => {
    server.once("error", (cause) => resume(Effect.fail(listenFault(address, cause))))
    server.listen({ host: address.host, port: address.port }, () => {
      const bound = server.address()
      resume(Effect.succeed({ host: address.host, port: typeof bound === "object" && bound !== null ? bound.port : address.port }))
    })
  })
  return Effect.acquireRelease(started, () =>
    Effect.suspend(() => {
      server.close()
      return endAll(accepted)
    })
  )
}

const connect = (address: Address, timeoutMs: number, opened: (connection: Connection) => Listener) =>
  connecting<NodeConnection, ConnectFault>(address, timeoutMs, opened, connectFault, ({ accepted, failed }) => {
    const socket = net.connect({ host: address.host, port: address.port, noDelay: true })
    socket.once("error", failed)
    socket.once("connect", () => {
      const connection = new NodeConnection(socket, () => {})
      connection.listener = accepted(connection)
    })
    return () => socket.destroy()
  })

/** TCP by node:net, for Deno and Node. It runs under Bun too. */
export const layerNode: Layer.Layer<Transport> = Layer.succeed(Transport, { listen, connect, connectTls })
