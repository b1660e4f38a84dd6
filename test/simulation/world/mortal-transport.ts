import { Effect } from "effect"
import { ConnectFault, type Connection, type Listener, ListenFault, type Transport } from "../../../src/ports/transport.ts"

/** One process from its start to its end. What it still tries afterwards reaches nothing. */
export interface Life {
  isOver: boolean
}

/** What the world wants to know of a connection, and decides about it. */
interface Watch {
  readonly connectionId: () => number
  /** A connection is open, and is closed again. */
  readonly opened: (id: number) => void
  readonly closed: (id: number) => void
  /** Does a task of a connection, or later: while the process is stopped, or the connection stalls, nothing is delivered. */
  readonly deliver: (id: number, task: () => void) => void
  readonly say: (line: string) => void
}

/** Numbers of the run's own, so that the same seed gives the same ones; and nothing is heard or said after the end. */
const watched = (connection: Connection, open: (connection: Connection) => Listener, life: Life, watch: Watch): Listener => {
  const id = watch.connectionId()
  const { host, port } = connection.remote
  const own: Connection = {
    id,
    remote: connection.remote,
    local: connection.local,
    write: (chunks) => (life.isOver ? 0 : connection.write(chunks)),
    release: (bytes) => connection.release(bytes),
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    end: () => connection.end(),
    destroy: () => connection.destroy()
  }
  const listener = open(own)
  watch.opened(id)
  return {
    received: (bytes) =>
      watch.deliver(id, () => {
        if (life.isOver) return
        watch.say(`#${id} ${bytes.length} bytes from ${host}:${port}`)
        listener.received(bytes)
      }),
    drained: () => watch.deliver(id, () => listener.drained()),
    closed: (cause) =>
      watch.deliver(id, () => {
        watch.closed(id)
        watch.say(`#${id} closed: ${cause ?? "in order"}`)
        listener.closed(cause)
      })
  }
}

/** The transport of a process that can die. */
export const mortalTransport = (transport: Transport["Type"], life: Life, watch: Watch): Transport["Type"] => ({
  listen: (address, accept) =>
    life.isOver
      ? Effect.fail(new ListenFault({ address, code: "EPERM", message: "this process has ended" }))
      : transport.listen(address, (connection) => watched(connection, accept, life, watch)),
  connect: (address, timeoutMs, open) =>
    Effect.suspend(() =>
      life.isOver
        ? Effect.fail(new ConnectFault({ address, code: "EPERM", message: "this process has ended" }))
        : transport.connect(address, timeoutMs, (connection) => watched(connection, open, life, watch))
    ),
  connectTls: (address, tls, timeoutMs, open) => transport.connectTls(address, tls, timeoutMs, (connection) => watched(connection, open, life, watch))
})
