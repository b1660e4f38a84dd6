import { describe, expect, test } from "bun:test"
import { Effect, Either, type Scope } from "effect"
import { layerSeededRandom } from "../../../adapters/clock/seeded-random.ts"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { type ConnectFault, type Connection, type Listener, Transport } from "../../../src/ports/transport.ts"

/** An echo server on host `b`, and what a client on host `a` observed, in virtual time. */
const world = (conditions: ConstructorParameters<typeof MemoryNetwork>[0] = {}, seed = 1) => {
  const clock = new VirtualClock(0)
  const network = new MemoryNetwork(conditions)
  const log: Array<string> = []
  const say = (word: string) => log.push(`${Math.round(clock.unsafeCurrentTimeMillis())} ${word}`)
  const listener =
    (who: string, echo: boolean) =>
    (connection: Connection): Listener => ({
      received: (bytes) => {
        say(`${who} got ${bytes.length}`)
        if (echo) connection.write([bytes])
      },
      drained: () => say(`${who} drained`),
      closed: (cause) => say(`${who} closed${cause === undefined ? "" : `: ${cause}`}`)
    })
  const serve = Effect.flatMap(Transport, (transport) => transport.listen({ host: "b", port: 9092 }, listener("server", true))).pipe(
    Effect.provide(network.layer("b"))
  )
  const connect = (timeoutMs = 5000) =>
    Effect.flatMap(Transport, (transport) => transport.connect({ host: "b", port: 9092 }, timeoutMs, listener("client", false))).pipe(
      Effect.provide(network.layer("a"))
    )
  const run = <A>(body: Effect.Effect<A, unknown, Scope.Scope>) =>
    clock.run(Effect.scoped(Effect.zipRight(serve, body)).pipe(Effect.provide(layerSeededRandom(seed)), Effect.orDie))
  return { clock, network, log, connect, run }
}
const some = (size: number): ReadonlyArray<Uint8Array> => [new Uint8Array(size)]

describe("the simulated network", () => {
  test("packets are delayed, and stay in order", async () => {
    const { log, connect, run } = world({ delayMs: [10, 10] })
    await run(
      Effect.gen(function* () {
        const connection = yield* connect()
        connection.write(some(1))
        yield* Effect.sleep(5)
        connection.write(some(2))
        yield* Effect.sleep(100)
      })
    )
    // 20 ms for the connection, then 10 in each direction; the scope closes 105 ms after the connection was established.
    expect(log.slice(0, 4)).toEqual(["30 server got 1", "35 server got 2", "40 client got 1", "45 client got 2"])
  })

  test("a partition holds sent bytes until it heals; neither end is notified", async () => {
    const { network, log, connect, run } = world({ delayMs: [1, 1] })
    await run(
      Effect.gen(function* () {
        const connection = yield* connect()
        network.cut("a", "b")
        connection.write(some(7))
        yield* Effect.sleep(10_000)
        expect(log).toEqual([])
        network.heal("a", "b")
        yield* Effect.sleep(10)
      })
    )
    expect(log.slice(0, 2)).toEqual(["10002 server got 7", "10003 client got 7"])
  })

  test("a partition may affect one direction", async () => {
    const { network, log, connect, run } = world({ delayMs: [1, 1] })
    await run(
      Effect.gen(function* () {
        const connection = yield* connect()
        network.cut("b", "a", true)
        connection.write(some(7))
        yield* Effect.sleep(100)
        expect(log).toEqual(["3 server got 7"])
        network.heal()
        yield* Effect.sleep(10)
        expect(log).toEqual(["3 server got 7", "102 client got 7"])
      })
    )
  })

  test("a call to a partitioned host times out, and succeeds when the partition heals in time", async () => {
    const { network, connect, run, clock } = world()
    const fault = await run(
      Effect.gen(function* () {
        network.cut("a", "b")
        const late = yield* Effect.either(connect(1500))
        expect(clock.unsafeCurrentTimeMillis()).toBe(1500)
        yield* Effect.fork(
          Effect.delay(
            Effect.sync(() => network.heal()),
            3300
          )
        )
        yield* connect(5000)
        expect(clock.unsafeCurrentTimeMillis()).toBe(1500 + 4000)
        return Either.isLeft(late) ? (late.left as ConnectFault) : undefined
      })
    )
    expect(fault?.code).toBe("ETIMEDOUT")
    expect(fault?.message).toBe("b:9092 did not accept the connection within 1500 ms.")
  })

  test("a dropped connection closes on both ends with a cause; a crashed host refuses", async () => {
    const { network, log, connect, run } = world()
    await run(
      Effect.gen(function* () {
        yield* connect()
        expect(network.openConnections).toBe(2)
        expect(network.drop("a", "b")).toBe(1)
        yield* Effect.sleep(1)
        expect(log).toEqual(["0 client closed: the network dropped the connection", "0 server closed: the network dropped the connection"])
        yield* connect()
        network.crash("b")
        yield* Effect.sleep(1)
        expect(log.length).toBe(4)
        expect(network.openConnections).toBe(0)
        const refused = yield* Effect.flip(connect())
        expect(refused.code).toBe("ECONNREFUSED")
      })
    )
  })

  test("one seed gives one run, with random delays, fragments and broken connections", async () => {
    const noise = async (seed: number) => {
      const { log, connect, run } = world({ delayMs: [0, 20], segmentBytes: [1, 100], breakChance: 0.01 }, seed)
      await run(
        Effect.forEach(
          [1, 2, 3],
          () =>
            Effect.gen(function* () {
              const connection = yield* connect()
              for (let i = 1; i < 30; i++) {
                connection.write(some(i * 10))
                yield* Effect.sleep(3)
              }
              yield* Effect.sleep(1000)
            }),
          { concurrency: "unbounded" }
        )
      )
      return log.join("\n")
    }
    const first = await noise(42)
    expect(first.includes("dropped")).toBe(true)
    expect((await noise(42)) === first).toBe(true)
    expect((await noise(43)) === first).toBe(false)
  })
})
