import { Effect, Layer } from "effect"
import { layer as memoryStore } from "../../adapters/log/memory/layer.ts"
import { MemoryDisk } from "../../adapters/log/memory/memory-disk.ts"
import { MemoryNetwork } from "../../adapters/transport/memory.ts"
import { surroundings } from "./surroundings.ts"
import { layerVirtualTime } from "./virtual-time.ts"

/** A network in memory, disks in memory and virtual time, each layer with its own. Nodes and clients share the host 127.0.0.1. */
export const layerVirtualSurroundings: Layer.Layer<never> = Layer.suspend(() =>
  Layer.scopedDiscard(Effect.locallyScoped(surroundings, { transport: new MemoryNetwork().layer("127.0.0.1"), store: () => memoryStore(new MemoryDisk()) }))
).pipe(Layer.provideMerge(layerVirtualTime))
