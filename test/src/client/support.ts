import { Effect, Layer, Random, type Scope } from "effect"
import { layerTypescript as checksum } from "../../../adapters/checksum/checksum.ts"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { layerTypescript as compression } from "../../../adapters/compression/compression.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import type { Checksum } from "../../../src/ports/checksum.ts"
import type { Compression } from "../../../src/ports/compression.ts"
import type { Transport } from "../../../src/ports/transport.ts"
import { FakeCluster } from "./fake-cluster.ts"

export const leader = "node0:9092,node1:9092"

/** A fake cluster and its clients, in memory and in virtual time. */
export const withFake = <A>(
  body: (fake: FakeCluster, clock: VirtualClock) => Effect.Effect<A, unknown, Scope.Scope | Transport | Checksum | Compression>,
  options: { readonly seed?: number | string; readonly prepare?: (fake: FakeCluster) => void; readonly nodes?: number } = {}
): Promise<A> => {
  const clock = new VirtualClock(1_000_000)
  const network = new MemoryNetwork({ delayMs: [1, 3] })
  const fake = new FakeCluster(network, options.nodes)
  options.prepare?.(fake)
  return clock.run(
    Effect.andThen(fake.start, Effect.scoped(body(fake, clock))).pipe(
      Effect.scoped,
      Effect.provide(Layer.mergeAll(network.layer("client"), checksum, compression)),
      Effect.withRandom(Random.make(options.seed ?? 1)),
      Effect.orDie
    )
  )
}
