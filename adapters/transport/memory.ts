import { Duration, Effect, Layer, Runtime } from "effect"
import { type Address, type ConnectFault, type Connection, type Listener, TlsFault, Transport } from "../../src/ports/transport.ts"
import { connecting } from "./connecting.ts"
import { connectFault, listenFault } from "./fault.ts"
import { endAll } from "./linger.ts"
import { MemoryConnection } from "./memory-connection.ts"
import type { Way } from "./memory-pipe.ts"

interface NetworkConditions {
  /** Range of a packet's delay, ms. Drawn for each packet; a stream keeps its order. */
  readonly delayMs: readonly [least: number, most: number]
  /** Range of the bytes that a receiver is given at once. */
  readonly segmentBytes: readonly [least: number, most: number]
  /** The probability that a connection breaks instead of delivering a packet; 0 for never. */
  readonly breakChance: number
}
const perfectConditions: NetworkConditions = { delayMs: [0, 0], segmentBytes: [65_536, 65_536], breakChance: 0 }

interface Listening {
  readonly host: string
  readonly accept: (connection: Connection) => Listener
  readonly accepted: Set<MemoryConnection>
}
const here: ReadonlySet<string> = new Set(["127.0.0.1", "localhost", "::1", "0.0.0.0", "::"])
/** How long a connection attempt waits before it tries a host again that is cut off, as TCP does. */
const retryMs = 1000

/**
 * A network of named hosts in this process, for tests and simulation: the test injects its faults. It takes time and
 * chance from Effect's Clock and Random alone, so that one seed gives one run. `127.0.0.1` is the caller's own host,
 * any other name is the host of that name.
 */
export class MemoryNetwork {
  private readonly listening = new Map<string, Listening>()
  private readonly connections = new Set<MemoryConnection>()
  private readonly severed = new Set<string>()
  private lastPort = 20_000
  conditions: NetworkConditions

  constructor(conditions: Partial<NetworkConditions> = {}) {
    this.conditions = { ...perfectConditions, ...conditions }
  }

  /** The transport of the host of this name. */
  layer(host: string): Layer.Layer<Transport> {
    return Layer.succeed(Transport, {
      listen: (address, accept) => this.listen(host, address, accept),
      connect: (address, timeoutMs, open) => this.connect(host, address, timeoutMs, open),
      connectTls: (address) => Effect.fail(new TlsFault({ address, code: "ENOTSUP", message: "the simulated network has no TLS." }))
    })
  }

  /**
   * Holds all packets between `a` and `b`; their connections stay open and hang. `oneWay`: only packets from `a` to `b`
   * are held.
   */
  cut(a: string, b: string, oneWay = false): void {
    this.severed.add(`${a}>${b}`)
    if (!oneWay) this.severed.add(`${b}>${a}`)
  }
  /** Delivers the held packets. Without hosts: everywhere. */
  heal(a?: string, b?: string): void {
    if (a === undefined || b === undefined) this.severed.clear()
    else for (const way of [`${a}>${b}`, `${b}>${a}`]) this.severed.delete(way)
    for (const connection of this.connections) connection.wake()
  }
  /** Breaks the connections of `a`, or those between `a` and `b`. Returns how many there were. */
  drop(a: string, b?: string): number {
    const broken = [...this.connections].filter(({ host, peerHost }) => host === a && (b === undefined || peerHost === b))
    for (const connection of broken) connection.break("the network dropped the connection")
    return broken.length
  }
  /**
   * Makes the connections between `a` and `b` half-open: they stay open and deliver nothing. New ones work. Returns how
   * many there were.
   */
  freeze(a: string, b: string): number {
    const frozen = [...this.connections].filter(({ host, peerHost }) => (host === a && peerHost === b) || (host === b && peerHost === a))
    for (const connection of frozen) connection.freeze()
    return frozen.length / 2
  }
  /** Crashes the host: its listeners are gone, and its connections break. */
  crash(host: string): void {
    for (const [at, one] of this.listening) if (one.host === host) this.listening.delete(at)
    this.drop(host)
  }
  get openConnections(): number {
    return this.connections.size
  }

  private listen(host: string, address: Address, accept: (connection: Connection) => Listener) {
    return Effect.acquireRelease(
      Effect.suspend(() => {
        const port = address.port === 0 ? this.freePort(host) : address.port
        const at = `${host}:${port}`
        if (this.listening.has(at)) return Effect.fail(listenFault(address, { code: "EADDRINUSE" }))
        if (address.host !== host && !here.has(address.host)) return Effect.fail(listenFault(address, { code: "EADDRNOTAVAIL" }))
        const listening: Listening = { host, accept, accepted: new Set() }
        this.listening.set(at, listening)
        return Effect.succeed({ real: { host: address.host, port }, at, listening })
      }),
      ({ at, listening }) =>
        Effect.suspend(() => {
          if (this.listening.get(at) === listening) this.listening.delete(at)
          return endAll(listening.accepted)
        })
    ).pipe(Effect.map(({ real }) => real))
  }

  private connect(host: string, address: Address, timeoutMs: number, opened: (connection: Connection) => Listener) {
    return Effect.gen(this, function* () {
      const world = yield* worldOf
      const peerHost = here.has(address.host) ? host : address.host
      return yield* connecting<MemoryConnection, ConnectFault>(address, timeoutMs, opened, connectFault, ({ accepted, failed }) => {
        let wanted = true
        const there = this.way(world, host, peerHost)
        const back = this.way(world, peerHost, host)
        const attempt = (): void => {
          if (!wanted) return
          if (!there.isOpen() || !back.isOpen()) return world.after(retryMs, attempt)
          const listening = this.listening.get(`${peerHost}:${address.port}`)
          if (listening === undefined) return world.after(back.delayMs(), () => failed({ code: "ECONNREFUSED" }))
          const [caller, called] = MemoryConnection.pair(
            { host, address: { host, port: ++this.lastPort }, way: back },
            { host: peerHost, address: { host: address.host, port: address.port }, way: there },
            (gone) => {
              this.connections.delete(gone)
              listening.accepted.delete(gone)
            }
          )
          this.connections.add(caller).add(called)
          listening.accepted.add(called)
          called.open(listening.accept(called))
          world.after(back.delayMs(), () => {
            const listener = caller.isClosed ? undefined : accepted(caller)
            if (listener !== undefined) caller.open(listener)
            else if (caller.isClosed) failed({ code: "ECONNRESET" })
          })
        }
        world.after(there.delayMs(), attempt)
        return () => {
          wanted = false
        }
      })
    })
  }

  private freePort(host: string): number {
    do this.lastPort++
    while (this.listening.has(`${host}:${this.lastPort}`))
    return this.lastPort
  }
  private way(world: World, from: string, to: string): Way {
    const between = ([least, most]: readonly [number, number]): number => (most > least ? least + world.chance() * (most - least) : least)
    return {
      now: world.now,
      after: world.after,
      isOpen: () => !this.severed.has(`${from}>${to}`),
      delayMs: () => between(this.conditions.delayMs),
      segmentBytes: () => Math.floor(between(this.conditions.segmentBytes)),
      breaks: () => this.conditions.breakChance > 0 && world.chance() < this.conditions.breakChance
    }
  }
}

/** Time and chance as plain functions, from the calling fiber's Clock and Random. */
interface World {
  readonly now: () => number
  readonly after: (ms: number, task: () => void) => void
  readonly chance: () => number
}
const worldOf: Effect.Effect<World> = Effect.gen(function* () {
  const runtime = yield* Effect.runtime<never>()
  const clock = yield* Effect.clock
  const random = yield* Effect.random
  const fork = Runtime.runFork(runtime)
  return {
    now: () => Number(clock.unsafeCurrentTimeNanos()) / 1e6,
    // Without a delay the task still runs in a later turn: a caller is not called back meanwhile.
    after: (ms, task) => {
      fork(Effect.zipRight(ms > 0 ? clock.sleep(Duration.millis(ms)) : Effect.yieldNow(), Effect.sync(task)))
    },
    chance: () => Runtime.runSync(runtime)(random.next)
  }
})
