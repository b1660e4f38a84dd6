import { afterAll, describe, expect, test } from "bun:test"
import { Context, Effect, Either, Exit, Layer, Scope } from "effect"
import { layer as checksum } from "../../../adapters/checksum/checksum.ts"
import { layer as compression } from "../../../adapters/compression/compression.ts"
import { layer as memoryLog } from "../../../adapters/log/memory/layer.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { defaultNodeConfig } from "../../../domain/kernel/config.ts"
import { requestBytes } from "../../../scripts/attack/raw.ts"
import { widest } from "../../../scripts/attack/widest.ts"
import { Broker, layer as layerBroker } from "../../../src/broker/broker.ts"
import { decodeInSlices } from "../../../src/protocol/codec/compile.ts"
import { decodeRequestHeader } from "../../../src/protocol/codec/frame.ts"
import { Encoded, type Route } from "../../../src/wire/route.ts"
import { requestElementsMax } from "../../../src/wire/routing/request-elements.ts"
import type { Steps } from "../../../src/wire/sliced.ts"
import { World } from "../groups/support.ts"
import { contextOf } from "../wire/context.ts"
import { newDisk } from "./support.ts"

const scope = Effect.runSync(Scope.make())
afterAll(async () => expect(Exit.isSuccess(await Effect.runPromiseExit(Scope.close(scope, Exit.void)))).toBe(true))
/** A broker whose leader is unreachable, and a leader. */
const broker = await Effect.runPromise(
  Layer.build(layerBroker({ nodeId: 1, leader: { host: "127.0.0.1", port: 1 }, config: defaultNodeConfig })).pipe(
    Effect.map(Context.get(Broker)),
    Effect.provide(Layer.mergeAll(Layer.provideMerge(memoryLog(newDisk()), checksum), compression, new MemoryNetwork().layer("here"))),
    Scope.extend(scope)
  )
)
const world = new World()
const leader = await world.clock.run(Scope.extend(world.leader(), scope))

const run = <A>(steps: Steps<A>): { readonly value: A; readonly pauses: number } => {
  for (let pauses = 0; ; pauses++) {
    const step = steps.next()
    if (step.done === true) return { value: step.value, pauses }
  }
}
const elementsMax = 20_000
/** Elements that a handler may process between two pauses. */
const elementsPerPause = 1024
/** An API that allows no more elements than this may process them without a pause: that takes some ms. */
const fewMax = 10_000
/** Arrays that the handlers do not iterate: those of an unknown session, a set of names, and partitions of a leader without log directories. */
const unwalked = /^(a leader DescribeLogDirs|a \w+ Fetch forgottenTopicsData|a \w+ DescribeConfigs resources\[\]\.configurationKeys)/

const sent = ({ api, finish, start }: Route, version: number, draft: unknown) => {
  const frame = requestBytes(api, version, draft as never).subarray(4)
  const { bodyAt, header } = Either.getOrThrow(decodeRequestHeader(frame))
  const context = contextOf(header, frame)
  const reading = run(decodeInSlices(api, version, frame, bodyAt, elementsMax)).pauses
  const { pauses, value } = run(finish(context, Either.getOrThrow(start(context, bodyAt)).answer))
  return { own: pauses - reading, isAnswered: value instanceof Encoded }
}

describe.each([
  ["a broker", [...broker.routes, ...broker.relayed]],
  ["a leader", leader.routes]
] as const)("%s processes the largest requests in steps, whichever array is large", (role, routes) => {
  const cases = routes.flatMap((route) =>
    widest(route.api, route.versions[1]).flatMap(({ draft, path }) =>
      [true, false].map((distinct) => [`${route.api.name} ${path}${distinct ? "" : " (equal)"}`, route, draft, distinct] as const)
    )
  )
  test.each(cases)("%s", (name, route, draft, distinct) => {
    const count = Math.min(elementsMax, requestElementsMax(route.api.key)) - 10
    const { isAnswered, own } = sent(route, route.versions[1], draft(count, distinct))
    // A handler that waits for the journal or for the leader returns an Effect, which yields by itself.
    if (isAnswered && count > fewMax && !unwalked.test(`${role} ${name}`)) expect(own).toBeGreaterThanOrEqual(Math.floor(count / elementsPerPause) - 1)
  })
})
