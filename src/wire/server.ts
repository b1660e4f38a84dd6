import { Deferred, Effect, Exit, type Scope } from "effect"
import { type Address, type Connection, type Listener, type ListenFault, Transport } from "../ports/transport.ts"
import { Admission, type AdmissionOptions } from "./admission/admission.ts"
import { ownLinksOf } from "./admission/own-links.ts"
import { ConnectionLog } from "./connection/connection-log.ts"
import type { OpenConnection } from "./connection/open-connection.ts"
import { ServerConnection } from "./connection/server-connection.ts"
import type { ListenerContext, ServerContext } from "./connection/server-context.ts"
import { MemoryBudget } from "./memory/memory-budget.ts"
import { Relief } from "./memory/relief.ts"
import { ResponseBudget } from "./memory/response-budget.ts"
import { RequestCounts } from "./metrics/request-counts.ts"
import { registerServer } from "./metrics/server-metrics.ts"
import type { Route } from "./route.ts"
import type { Identity } from "./routing/api-versions.ts"
import { RouteSwitch } from "./routing/route-switch.ts"
import { RouteTable } from "./routing/route-table.ts"
import { Turns } from "./slicing/turns.ts"

export interface ServeOptions extends AdmissionOptions {
  /** Bytes of one request at most; a longer one closes its connection. Kafka's socket.request.max.bytes. */
  readonly requestBytesMax: number
  /** Requests of one connection that are read ahead of their responses; then it is not read until some are answered. */
  readonly inFlightRequestsMax: number
  /** Bytes of responses that a connection may leave unread before the server stops reading its requests. One further response may be held. */
  readonly writeBufferBytesMax: number
  /** Bytes of requests of one connection that are read ahead; one request more may be held. Default 16 MiB. */
  readonly inFlightBytesMax?: number
  /** The budget for the memory of requests, responses and waiting work; servers of one process share it. Default: 512 MiB, and at least two of the longest requests. */
  readonly memory?: MemoryBudget
  /**
   * Memory behind responses that clients have not read, of all connections together: over three quarters of it only connections that read get records, and those on which
   * nothing was read for ten seconds are closed, the one that holds the most first. Default 256 MiB.
   */
  readonly answers?: ResponseBudget
  /** A connection without a request for so long is closed. Kafka's connections.max.idle.ms; default 10 minutes. */
  readonly idleTimeoutMs?: number
  /** How long requests in flight may take when the scope closes. Default 1 second. */
  readonly stopTimeoutMs?: number
  /** The identity of this node, for clients that name the node that they expect (KIP-1242). */
  readonly identity?: () => Identity | undefined
}

const refused: Listener = { received: () => {}, drained: () => {}, closed: () => {} }
const memoryBytesDefault = 512 * 1024 * 1024
const responseBytesDefault = 256 * 1024 * 1024

/** One listener of a server: its address and the routes that it serves. */
interface ServedListener {
  /** Absent: its requests have no listener name. */
  readonly name?: string
  readonly address: Address
  readonly routes: ReadonlyArray<Route> | RouteSwitch
}

/** Serves one listener without a name. Returns the bound address. */
export const serve = (
  address: Address,
  routes: ReadonlyArray<Route> | RouteSwitch,
  options: ServeOptions
): Effect.Effect<Address, ListenFault, Transport | Scope.Scope> => Effect.map(serveAll([{ address, routes }], options), ([listening = address]) => listening)

/**
 * Serves listeners, whose connections share all bounds, until the scope closes. Then the server reads no more requests, requests in flight may finish for `stopTimeoutMs`, and the
 * connections close. Returns the bound addresses, in the order of the listeners. A listener's routes determine its ApiVersions response. Handlers run on the calling fiber's runtime, with
 * its logger, clock and default services.
 */
export const serveAll = (
  listeners: ReadonlyArray<ServedListener>,
  options: ServeOptions
): Effect.Effect<ReadonlyArray<Address>, ListenFault, Transport | Scope.Scope> =>
  Effect.gen(function* () {
    const transport = yield* Transport
    const runtime = yield* Effect.runtime<never>()
    const clock = yield* Effect.clock
    const open = new Set<OpenConnection>()
    const memory = options.memory ?? new MemoryBudget({ bytesMax: Math.max(memoryBytesDefault, 2 * options.requestBytesMax) })
    const relief = new Relief(memory, open)
    const counts = new RequestCounts()
    yield* registerServer({ counts, memory, open })
    const room: ServerContext = {
      runtime,
      turns: new Turns(runtime, clock, () => memory.tidy(() => clock.unsafeCurrentTimeNanos())),
      admission: new Admission(options, ownLinksOf(transport)),
      connectionLog: new ConnectionLog(runtime, clock, counts),
      counts,
      requestBytesMax: options.requestBytesMax,
      inFlightRequestsMax: options.inFlightRequestsMax,
      inFlightBytesMax: options.inFlightBytesMax ?? 16 * 1024 * 1024,
      writeBufferBytesMax: options.writeBufferBytesMax,
      memory,
      answers: options.answers ?? new ResponseBudget(responseBytesDefault, memory),
      relieve: () => relief.now(),
      seconds: 0,
      forget: (connection) => open.delete(connection)
    }
    let stopping = false
    const accept =
      (door: ListenerContext) =>
      (connection: Connection): Listener => {
        if (stopping) {
          connection.end()
          return refused
        }
        counts.connections++
        const served = new ServerConnection(room, door, connection)
        open.add(served)
        return served
      }
    const listening = yield* Effect.forEach(listeners, ({ address, name, routes }) =>
      transport.listen(address, accept(listenerContext(name, routes, options.identity, () => open)))
    )
    yield* Effect.forkScoped(sweeping(room, open, relief, (options.idleTimeoutMs ?? 600_000) / 1000))
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        stopping = true
        return stop(open, options.stopTimeoutMs ?? 1000)
      })
    )
    return listening
  })

/** What the connections of a listener share. Its routes change with the switch that they come from. */
const listenerContext = (
  name: string | undefined,
  routes: ReadonlyArray<Route> | RouteSwitch,
  identity: ServeOptions["identity"],
  open: () => Iterable<OpenConnection>
): ListenerContext => {
  if (!(routes instanceof RouteSwitch)) return { name, table: new RouteTable(routes, identity) }
  const context = { name, table: new RouteTable(routes.current, identity) }
  routes.onChange((changed, closes) => {
    context.table = new RouteTable(changed, identity)
    if (closes) for (const connection of [...open()]) connection.end()
  })
  return context
}

/** Once a second: closes connections that hang, and writes the counts of suppressed log lines. */
const sweeping = (room: ServerContext, open: ReadonlySet<OpenConnection>, relief: Relief, idleSeconds: number): Effect.Effect<void> =>
  Effect.sync(() => {
    room.seconds++
    for (const connection of open) connection.sweep(idleSeconds)
    if (room.answers.isShort) closeStalled(room, open)
    room.turns.turn()
    relief.turn()
    room.connectionLog.turn()
  }).pipe(Effect.delay(1000), Effect.forever)

/** Closes connections whose clients do not read, the one that holds the most first, until other clients' responses fit. */
const closeStalled = ({ answers }: ServerContext, open: ReadonlySet<OpenConnection>): void => {
  const stalled = [...open].filter(({ isStalled }) => isStalled).sort((one, other) => other.unreadBytes - one.unreadBytes)
  for (const connection of stalled) {
    if (!answers.isShort) return
    connection.giveUp()
  }
}

const stop = (open: ReadonlySet<OpenConnection>, timeoutMs: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    const allDone = yield* Deferred.make<void>()
    let busy = open.size
    const oneDone = () => {
      if (--busy === 0) Deferred.unsafeDone(allDone, Exit.void)
    }
    for (const connection of [...open]) connection.stop(oneDone)
    // A finalizer cannot be interrupted, so the wait would ignore its timeout otherwise.
    if (busy > 0) yield* Effect.timeoutOption(Effect.interruptible(Deferred.await(allDone)), timeoutMs)
    for (const connection of open) connection.end()
  })
