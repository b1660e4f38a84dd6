import { describe, expect, test } from "bun:test"
import { Context, Effect, Exit, Layer, Logger, LogLevel, Scope } from "effect"
import fc from "fast-check"
import { layer as checksum } from "../../../adapters/checksum/checksum.ts"
import { layer as compression } from "../../../adapters/compression/compression.ts"
import { layer as memoryLog } from "../../../adapters/log/memory/layer.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { defaultNodeConfig } from "../../../domain/kernel/config.ts"
import { Broker, layer as layerBroker } from "../../../src/broker/broker.ts"
import { requestFrame } from "../../../src/protocol/codec/frame.ts"
import { joined } from "../../../src/protocol/codec/joined.ts"
import { dispatch } from "../../../src/wire/routing/dispatch.ts"
import { valueOf } from "../protocol/arbitrary.ts"
import { newDisk } from "./support.ts"

const origin = { clientHost: "127.0.0.1", connectionId: 1, actor: "test@127.0.0.1:1" }
const scope = Effect.runSync(Scope.make())
/** A broker whose leader is unreachable. */
const broker = await Effect.runPromise(
  Layer.build(layerBroker({ nodeId: 1, leader: { host: "127.0.0.1", port: 1 }, config: defaultNodeConfig })).pipe(
    Effect.map(Context.get(Broker)),
    Effect.provide(Layer.mergeAll(Layer.provideMerge(memoryLog(newDisk()), checksum), compression, new MemoryNetwork().layer("here"))),
    Scope.extend(scope)
  )
)
const routes = [...broker.routes, ...broker.relayed]

describe("every readable request gets a response that can be encoded, in every version, while the leader is unreachable", () => {
  test.each(routes.map((route) => [route.api.name, route] as const))("%s", async (_, { api, versions: [first, last] }) => {
    for (let version = first; version <= last; version++) {
      const requests = valueOf(api.request.body, version, version >= api.flexible)
      await fc.assert(
        fc.asyncProperty(requests, async (request) => {
          const frame = joined(requestFrame(api, version, { correlationId: 1, clientId: "any" }, request as never)).subarray(4)
          const answered = dispatch(routes, frame, origin).pipe(Effect.either, Effect.timeout("20 seconds"), Logger.withMinimumLogLevel(LogLevel.None))
          const answer = await Effect.runPromise(answered)
          // Only Produce with acks=0 may close the connection instead.
          return answer._tag === "Right" || (api.key === 0 && answer.left.kind === "disconnected")
        }),
        { numRuns: 15 }
      )
    }
  })
  test("the broker stops cleanly", async () => {
    expect(Exit.isSuccess(await Effect.runPromiseExit(Scope.close(scope, Exit.void)))).toBe(true)
  })
})
