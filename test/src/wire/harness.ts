import { Effect, Either, Exit, type Layer, Logger, type LogLevel, Scope } from "effect"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { layerBun } from "../../../adapters/transport/bun.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { layerNode } from "../../../adapters/transport/node.ts"
import { type Address, type Connection, type Listener, Transport } from "../../../src/ports/transport.ts"
import { decodeResponseFrame, requestFrame } from "../../../src/protocol/codec/frame.ts"
import { Heartbeat } from "../../../src/protocol/message/12-heartbeat.ts"
import type { AnyApi, RequestDraft, ResponseOf } from "../../../src/protocol/type/wire.ts"
import { Framer, isFrame } from "../../../src/wire/connection/framer.ts"
import type { LinkOptions } from "../../../src/wire/link.ts"
import { type Handled, type RequestContext, type Route, type RouteOptions, route } from "../../../src/wire/route.ts"
import { type ServeOptions, serve } from "../../../src/wire/server.ts"

export const transports: ReadonlyArray<readonly [name: string, layer: () => Layer.Layer<Transport>]> = [
  ["over Bun's sockets", () => layerBun],
  ["over node:net", () => layerNode],
  ["in memory", () => new MemoryNetwork({ segmentBytes: [1, 5000] }).layer("here")]
]
const serveOptions: ServeOptions = { requestBytesMax: 10_000_000, connectionsMax: 100, inFlightRequestsMax: 8, writeBufferBytesMax: 100_000 }
export const linkOptions: LinkOptions = {
  clientId: "test",
  connectTimeoutMs: 5000,
  requestTimeoutMs: 20_000,
  inFlightRequestsMax: 100,
  responseBytesMax: 10_000_000
}
const loopback: Address = { host: "127.0.0.1", port: 0 }

/** Heartbeat, whose generation id selects the behaviour: the response repeats it as its throttle time. */
export const heartbeat = (handle: (id: number, context: RequestContext) => Handled<typeof Heartbeat>, options: RouteOptions = {}): Route =>
  route(Heartbeat, options, ({ generationId }, context) => handle(generationId, context))
export const reply = (id: number) => ({ throttleTimeMs: id, errorCode: 0 })
export const beat = (id: number): RequestDraft<typeof Heartbeat> => ({ groupId: "g", generationId: id, memberId: "m" })

/** A client that writes bytes, and reads frames. */
export class Raw implements Listener {
  private readonly framer = new Framer(100_000_000)
  readonly frames: Array<Uint8Array> = []
  closedBy: { cause: string | undefined } | undefined
  private nextId = 0
  constructor(readonly connection: Connection) {}
  received(bytes: Uint8Array): void {
    this.framer.push(bytes)
    for (let frame = this.framer.next(); frame !== undefined; frame = this.framer.next()) if (isFrame(frame)) this.frames.push(frame)
  }
  drained(): void {}
  closed(cause?: string): void {
    this.closedBy = { cause }
  }
  /** Sends a request; answers its correlation id. */
  ask<A extends AnyApi>(api: A, version: number, request: RequestDraft<A>): number {
    this.connection.write(requestFrame(api, version, { correlationId: ++this.nextId, clientId: "raw" }, request))
    return this.nextId
  }
  answer<A extends AnyApi>(index: number, api: A, version: number): { correlationId: number; value: ResponseOf<A> } {
    return Either.getOrThrow(decodeResponseFrame(api, version, this.frames[index] as Uint8Array))
  }
  /** The ids that heartbeats were answered with, in order. */
  get beats(): ReadonlyArray<number> {
    return this.frames.map((_, i) => this.answer(i, Heartbeat, 4).value.throttleTimeMs)
  }
}

/** Waits for a condition: real time passes for real transports, and only turns of the loop for others. */
export const eventually = (what: string, holds: () => boolean): Effect.Effect<void> =>
  Effect.promise(async () => {
    for (let waited = 0; !holds(); waited++) {
      if (waited > 10_000) throw new Error(`never happened: ${what}`)
      await Bun.sleep(1)
    }
  })

interface Stage {
  readonly address: Address
  readonly raw: Effect.Effect<Raw, never, Scope.Scope | Transport>
  /** Ends the server before its clients. */
  readonly stop: Effect.Effect<void>
  /** What was logged, with its level. */
  readonly lines: ReadonlyArray<{ readonly level: LogLevel.LogLevel["_tag"]; readonly text: string }>
}
const staged = <A>(
  layer: Layer.Layer<Transport>,
  routes: ReadonlyArray<Route>,
  options: Partial<ServeOptions>,
  body: (stage: Stage) => Effect.Effect<A, unknown, Scope.Scope | Transport>
): Effect.Effect<A> => {
  const lines: Array<{ level: LogLevel.LogLevel["_tag"]; text: string }> = []
  const logger = Logger.make(({ logLevel, message, cause }) => {
    lines.push({ level: logLevel._tag, text: `${[message].flat().join(" ")}${cause._tag === "Empty" ? "" : String(cause)}` })
  })
  return Effect.gen(function* () {
    const own = yield* Scope.make()
    yield* Effect.addFinalizer(() => Scope.close(own, Exit.void))
    const address = yield* Scope.extend(serve(loopback, routes, { ...serveOptions, ...options }), own)
    const raw = Effect.gen(function* () {
      const transport = yield* Transport
      let made: Raw | undefined
      yield* transport.connect(address, 5000, (connection) => (made = new Raw(connection)))
      return made as unknown as Raw
    }).pipe(Effect.orDie)
    return yield* body({ address, raw, lines, stop: Scope.close(own, Exit.void) })
  }).pipe(Effect.scoped, Effect.provide(layer), Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Effect.orDie)
}
/** Serves `routes` while `body` runs. */
export const onStage = (
  layer: Layer.Layer<Transport>,
  routes: ReadonlyArray<Route>,
  body: (stage: Stage) => Effect.Effect<unknown, unknown, Scope.Scope | Transport>,
  options: Partial<ServeOptions> = {}
): Promise<unknown> => Effect.runPromise(staged(layer, routes, options, body))

/** The same in memory and in virtual time. */
export const inVirtualTime = (
  routes: ReadonlyArray<Route>,
  body: (stage: Stage & { readonly clock: VirtualClock; readonly network: MemoryNetwork }) => Effect.Effect<unknown, unknown, Scope.Scope | Transport>,
  options: Partial<ServeOptions> = {}
): Promise<unknown> => {
  const clock = new VirtualClock(0)
  const network = new MemoryNetwork()
  return clock.run(staged(network.layer("here"), routes, options, (stage) => body({ ...stage, clock, network })))
}
