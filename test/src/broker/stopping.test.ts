import { expect, test } from "bun:test"
import { Effect, Exit, Fiber, Layer, Logger, LogLevel, Scope } from "effect"
import { layerTypescript as checksum } from "../../../adapters/checksum/checksum.ts"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { layerTypescript as compression } from "../../../adapters/compression/compression.ts"
import { layer as memoryLog } from "../../../adapters/log/memory/layer.ts"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { defaultNodeConfig } from "../../../domain/kernel/config.ts"
import { startBroker } from "../../../src/broker/broker.ts"
import { envelope } from "../../../src/leader/handler/58-envelope.ts"
import { Heartbeat } from "../../../src/protocol/message/12-heartbeat.ts"
import { connect } from "../../../src/wire/link.ts"
import { type Route, route } from "../../../src/wire/route.ts"
import { serve } from "../../../src/wire/server.ts"

/** The Envelope of a leader with which no broker registers: it admits every session. */
const anySessionsEnvelope = (...parameters: Parameters<typeof envelope>): Route => ({ ...envelope(...parameters), admits: () => true })

const served = { requestBytesMax: 100_000, connectionsMax: 100, inFlightRequestsMax: 64, writeBufferBytesMax: 100_000 }
const link = { clientId: "test", connectTimeoutMs: 5000, requestTimeoutMs: 5000, inFlightRequestsMax: 5, responseBytesMax: 100_000 }
const at = (host: string) => ({ host, port: 9092 })

test("a relayed request is answered during a clean shutdown of the broker", async () => {
  const network = new MemoryNetwork()
  const program = Effect.gen(function* () {
    const own = [route(Heartbeat, {}, () => Effect.delay(Effect.succeed({ errorCode: 0 }), "300 millis"))]
    yield* Effect.provide(serve(at("leader"), [...own, anySessionsEnvelope(own, () => "broker 1")], served), network.layer("leader"))
    const life = yield* Scope.make()
    yield* startBroker({ nodeId: 1, leader: at("leader"), config: defaultNodeConfig, listen: at("broker") }).pipe(
      Scope.extend(life),
      Effect.provide(Layer.mergeAll(network.layer("broker"), checksum, compression, Layer.provide(memoryLog(new MemoryDisk()), checksum)))
    )
    const client = yield* Effect.provide(connect(at("broker"), link), network.layer("client"))
    const answer = yield* Effect.fork(client.call(Heartbeat, { groupId: "g", generationId: 1, memberId: "m" }))
    yield* Effect.sleep("100 millis")
    yield* Effect.fork(Scope.close(life, Exit.void))
    expect(yield* Fiber.join(answer)).toMatchObject({ errorCode: 0 })
  })
  await new VirtualClock().run(Effect.orDie(Effect.scoped(program).pipe(Logger.withMinimumLogLevel(LogLevel.None))))
})
