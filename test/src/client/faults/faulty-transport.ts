import { Effect, Layer, Runtime } from "effect"
import { Conversation } from "../../../../scripts/torture-client/conversation.ts"
import type { FaultSwitch } from "../../../../scripts/torture-client/fault-switch.ts"
import { type Connection, type Listener, Transport } from "../../../../src/ports/transport.ts"

/** The transport of a client whose connections go through a fault switch. For tests in virtual time. */
export const faultyTransport = (faults: FaultSwitch, inner: Layer.Layer<Transport>): Layer.Layer<Transport> =>
  Layer.effect(
    Transport,
    Effect.gen(function* () {
      const transport = yield* Transport
      const fork = Runtime.runFork(yield* Effect.runtime<never>())
      const later = (ms: number, task: () => void): void => void fork(Effect.andThen(Effect.sleep(ms), Effect.sync(task)))
      return {
        listen: transport.listen,
        connectTls: transport.connectTls,
        connect: (address, timeoutMs, open) => {
          const wrapped: { connection?: Connection } = {}
          const opened = (connection: Connection): Listener => {
            const through = throughSwitch(connection, faults, later, open)
            wrapped.connection = through.connection
            return through.listener
          }
          return Effect.map(transport.connect(address, timeoutMs, opened), (connection) => wrapped.connection ?? connection)
        }
      }
    })
  ).pipe(Layer.provide(inner))

const throughSwitch = (
  connection: Connection,
  faults: FaultSwitch,
  later: (ms: number, task: () => void) => void,
  open: (connection: Connection) => Listener
) => {
  let client: Listener | undefined
  let isOver = false
  const closed = (cause?: string): void => {
    if (isOver) return
    isOver = true
    conversation.closed()
    client?.closed(cause)
  }
  const conversation = new Conversation(
    {
      toClient: (bytes) => {
        if (!isOver) client?.received(bytes)
      },
      toBroker: (bytes) => {
        if (!isOver) connection.write([bytes.slice()])
      },
      reset: () => {
        connection.destroy()
        closed("connection reset")
      },
      later
    },
    faults
  )
  const own: Connection = {
    ...connection,
    // The methods of a class are not copied by the spread.
    id: connection.id,
    remote: connection.remote,
    local: connection.local,
    release: () => {},
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    end: () => connection.end(),
    destroy: () => connection.destroy(),
    write: (chunks, taken) => {
      conversation.fromClient(Buffer.concat(chunks))
      taken?.()
      return 0
    }
  }
  client = open(own)
  const listener: Listener = {
    received: (bytes) => conversation.fromBroker(bytes),
    drained: () => client?.drained(),
    closed
  }
  return { connection: own, listener }
}
