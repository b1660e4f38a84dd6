import { describe, expect, test } from "bun:test"
import { Effect, Either, Exit, type Layer, Scope } from "effect"
import { freePort } from "../../../scripts/bench/port.ts"
import { type Address, type Connection, type Listener, Transport } from "../../../src/ports/transport.ts"

/** One end, with all that happened to it. */
class End implements Listener {
  readonly chunks: Array<Uint8Array> = []
  size = 0
  drains = 0
  closes: Array<string | undefined> = []
  afterClose = 0
  onReceived: (bytes: Uint8Array) => void = () => {}
  constructor(readonly connection: Connection) {}
  received(bytes: Uint8Array): void {
    if (this.closes.length > 0) this.afterClose++
    this.chunks.push(bytes)
    this.size += bytes.length
    this.onReceived(bytes)
  }
  drained(): void {
    if (this.closes.length > 0) this.afterClose++
    this.drains++
  }
  closed(cause?: string): void {
    this.closes.push(cause)
  }
  get bytes(): Uint8Array {
    return Buffer.concat(this.chunks)
  }
}

/** Waits for a condition, by the loop of the platform; a minute is generous for what happens in this process. */
const eventually = async (what: string, holds: () => boolean): Promise<void> => {
  for (let waited = 0; !holds(); waited += 2) {
    if (waited > 60_000) throw new Error(`never happened: ${what}`)
    await Bun.sleep(2)
  }
}
const pattern = (size: number, seed = 1): Uint8Array => Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >>> 8) * 7 + seed) & 255)
const loopback: Address = { host: "127.0.0.1", port: 0 }

/** What every Transport does. Each test gets a network of its own. */
export const transportContract = (name: string, layer: () => Layer.Layer<Transport>): void => {
  /** A server that keeps the ends it accepted, and one connected client. */
  const withPair = (use: (pair: { server: End; client: End; address: Address; connectMore: () => Promise<End> }) => Promise<void>) =>
    Effect.gen(function* () {
      const transport = yield* Transport
      const accepted: Array<End> = []
      const address = yield* transport.listen(loopback, (connection) => {
        const end = new End(connection)
        accepted.push(end)
        return end
      })
      const scope = yield* Scope.Scope
      const connectMore = async (): Promise<End> => {
        let client: End | undefined
        await Effect.runPromise(
          Scope.extend(
            transport.connect(address, 60_000, (connection) => (client = new End(connection))),
            scope
          )
        )
        return client as unknown as End
      }
      yield* Effect.promise(async () => {
        const client = await connectMore()
        await eventually("accepted", () => accepted.length > 0)
        await use({ server: accepted[0] as End, client, address, connectMore })
      })
    }).pipe(Effect.scoped, Effect.provide(layer()), Effect.runPromise)

  describe(`transport ${name}`, () => {
    test("carries bytes both ways, and knows both addresses", () =>
      withPair(async ({ server, client, address }) => {
        expect(address.port).toBeGreaterThan(0)
        expect(client.connection.remote.port).toBe(address.port)
        expect(server.connection.remote.port).toBe(client.connection.local.port)
        expect(server.connection.id).not.toBe(client.connection.id)
        server.onReceived = (bytes) => server.connection.write([bytes])
        client.connection.write([pattern(10), pattern(20, 2)])
        await eventually("echo", () => client.size === 30)
        expect(client.bytes).toEqual(Buffer.concat([pattern(10), pattern(20, 2)]))
      }))

    test("keeps the order of many small writes and of large ones between them", () =>
      withPair(async ({ server, client }) => {
        const sent: Array<Uint8Array> = []
        for (let i = 0; i < 2000; i++) {
          const chunk = pattern(i % 97 === 0 ? 70_000 : i % 50, i)
          sent.push(chunk)
          client.connection.write([chunk])
          if (i % 300 === 0) await Bun.sleep(0)
        }
        const all = Buffer.concat(sent)
        await eventually("all of it", () => server.size === all.length)
        expect(Buffer.compare(server.bytes, all)).toBe(0)
      }))

    test("what is received belongs to the receiver", () =>
      withPair(async ({ server, client }) => {
        server.onReceived = (bytes) => bytes.fill(server.chunks.length)
        const mine = pattern(1000)
        client.connection.write([mine])
        await eventually("first", () => server.size === 1000)
        client.connection.write([mine])
        await eventually("second", () => server.size === 2000)
        // Neither the sender's bytes nor earlier ones of the receiver have changed.
        expect(mine).toEqual(pattern(1000))
        server.chunks.forEach((chunk, i) => expect(chunk.every((byte) => byte === i + 1)).toBe(true))
      }))

    test("released memory may be used again, and no other bytes change", () =>
      withPair(async ({ server, client }) => {
        const copies: Array<Uint8Array> = []
        server.chunks.push = () => 0
        server.onReceived = (bytes) => {
          copies.push(bytes.slice())
          // Every third chunk is kept: it must stay as it came.
          if (copies.length % 3 === 0) kept.push([bytes, copies.length - 1])
          else server.connection.release(bytes)
        }
        const kept: Array<[bytes: Uint8Array, at: number]> = []
        const sent = Array.from({ length: 60 }, (_, i) => pattern(100_000, i))
        for (const chunk of sent) {
          client.connection.write([chunk])
          await Bun.sleep(0)
        }
        await eventually("all of it", () => server.size === 6_000_000)
        expect(Buffer.compare(Buffer.concat(copies), Buffer.concat(sent))).toBe(0)
        expect(sent.every((chunk, i) => Buffer.compare(chunk, pattern(100_000, i)) === 0)).toBe(true)
        expect(kept.length).toBeGreaterThan(0)
        for (const [bytes, at] of kept) expect(Buffer.compare(bytes, copies[at] as Uint8Array)).toBe(0)
      }))

    test("tells how much waits for a peer that does not read, and when it has gone", () =>
      withPair(async ({ server, client }) => {
        server.connection.pause()
        let waiting = 0
        let written = 0
        while (waiting < 1_000_000) {
          waiting = client.connection.write([pattern(100_000, written)])
          written += 100_000
          if (written % 2_000_000 === 0) await Bun.sleep(0)
        }
        expect(server.size).toBe(0)
        // While the system's buffers grow, they may take all that waits, again and again.
        const before = client.drains
        server.connection.resume()
        await eventually("drained", () => client.drains > before)
        await eventually("all of it", () => server.size === written)
        expect(client.drains).toBe(before + 1)
        let at = 0
        for (let sent = 0; sent < written; sent += 100_000, at += 100_000) {
          expect(Buffer.compare(server.bytes.subarray(at, at + 1000), pattern(1000, sent))).toBe(0)
        }
      }))

    test("a paused end gets nothing, and everything in order when it resumes", () =>
      withPair(async ({ server, client }) => {
        server.onReceived = () => server.connection.pause()
        client.connection.write([pattern(200_000)])
        await eventually("first chunk", () => server.size > 0)
        client.connection.write([pattern(100_000, 9)])
        for (let i = 0; i < 1000 && server.size < 300_000; i++) {
          const before = server.chunks.length
          await Bun.sleep(1)
          expect(server.chunks.length).toBe(before)
          server.connection.resume()
          await eventually("next chunk", () => server.chunks.length > before)
        }
        expect(Buffer.compare(server.bytes, Buffer.concat([pattern(200_000), pattern(100_000, 9)]))).toBe(0)
      }))

    test("end sends what was written, and closes both ends once without a cause", () =>
      withPair(async ({ server, client }) => {
        const all = pattern(3_000_000)
        client.connection.write([all])
        client.connection.end()
        expect(client.connection.write([pattern(10)])).toBe(0)
        client.connection.end()
        await eventually("both closed", () => server.closes.length > 0 && client.closes.length > 0)
        expect(Buffer.compare(server.bytes, all)).toBe(0)
        expect(client.closes).toEqual([undefined])
        expect(server.closes).toEqual([undefined])
        expect(server.connection.write([pattern(10)])).toBe(0)
        server.connection.destroy()
        await Bun.sleep(5)
        expect(server.closes.length + client.closes.length).toBe(2)
        expect(server.afterClose + client.afterClose).toBe(0)
      }))

    test("destroy closes both ends at once", () =>
      withPair(async ({ server, client }) => {
        server.connection.pause()
        client.connection.write([pattern(8_000_000)])
        client.connection.destroy()
        client.connection.destroy()
        await eventually("closed here", () => client.closes.length > 0)
        server.connection.resume()
        await eventually("closed there", () => server.closes.length > 0)
        await Bun.sleep(5)
        expect([client.closes.length, server.closes.length]).toEqual([1, 1])
        expect(server.afterClose + client.afterClose).toBe(0)
      }))

    test("serves many connections beside each other", () =>
      withPair(async ({ connectMore, server }) => {
        server.connection.write([pattern(1)])
        const clients = await Promise.all(Array.from({ length: 50 }, connectMore))
        expect(new Set(clients.map(({ connection }) => connection.id)).size).toBe(50)
        expect(new Set(clients.map(({ connection }) => connection.local.port)).size).toBe(50)
      }))

    test("a port in use is a fault that says what to do", () =>
      Effect.gen(function* () {
        const transport = yield* Transport
        const accept = (connection: Connection) => new End(connection)
        const address = yield* transport.listen(loopback, accept)
        const again = yield* Effect.either(transport.listen(address, accept))
        expect(Either.isLeft(again) && again.left.code).toBe("EADDRINUSE")
        expect(Either.isLeft(again) && again.left.message).toContain(`port ${address.port} is in use on 127.0.0.1`)
      }).pipe(Effect.scoped, Effect.provide(layer()), Effect.runPromise))

    test("an address without a listener is a fault, also after the listener's scope closed", () =>
      Effect.gen(function* () {
        const transport = yield* Transport
        const scope = yield* Scope.make()
        const ends: Array<End> = []
        const keep = (connection: Connection): End => {
          const end = new End(connection)
          ends.push(end)
          return end
        }
        // No other program takes this port in between, as it might take one that the system chose.
        const port = yield* Effect.promise(freePort)
        const address = yield* Scope.extend(transport.listen({ ...loopback, port }, keep), scope)
        yield* transport.connect(address, 60_000, keep)
        yield* Effect.promise(() => eventually("accepted", () => ends.length === 2))
        yield* Scope.close(scope, Exit.void)
        yield* Effect.promise(() => eventually("all closed", () => ends.every(({ closes }) => closes.length === 1)))
        const gone = yield* Effect.either(transport.connect(address, 60_000, keep))
        expect(Either.isLeft(gone) && gone.left.code).toBe("ECONNREFUSED")
        expect(Either.isLeft(gone) && gone.left.message).toContain(`no program listens on 127.0.0.1:${address.port}`)
        // The port is free again.
        yield* transport.listen(address, keep)
      }).pipe(Effect.scoped, Effect.provide(layer()), Effect.runPromise))

    test("the caller's scope closes its connection, with everything sent", () =>
      Effect.gen(function* () {
        const transport = yield* Transport
        const ends: Array<End> = []
        const address = yield* transport.listen(loopback, (connection) => {
          const end = new End(connection)
          ends.push(end)
          return end
        })
        const call = Effect.gen(function* () {
          const connection = yield* transport.connect(address, 60_000, (opened) => new End(opened))
          connection.write([pattern(500_000)])
        })
        yield* Effect.scoped(call)
        yield* Effect.promise(() => eventually("closed", () => ends[0]?.closes.length === 1))
        expect(ends[0]?.size).toBe(500_000)
      }).pipe(Effect.scoped, Effect.provide(layer()), Effect.runPromise))
  })
}
