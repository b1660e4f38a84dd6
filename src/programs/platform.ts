import { Effect, FiberRef, Layer } from "effect"
import { layer as checksum } from "../../adapters/checksum/checksum.ts"
import { layer as compression } from "../../adapters/compression/compression.ts"
import { layer as cryptography } from "../../adapters/cryptography/node.ts"
import type { Checksum } from "../ports/checksum.ts"
import type { Compression } from "../ports/compression.ts"
import type { Cryptography } from "../ports/cryptography.ts"
import type { Transport } from "../ports/transport.ts"
import { surroundings } from "./surroundings.ts"

/**
 * TCP by the runtime's own sockets: Bun's under Bun, `node:net` under Deno and Node. Only the one that is used is
 * loaded.
 */
export const sockets: Layer.Layer<Transport> = Layer.unwrapEffect(
  Effect.promise(async () =>
    "Bun" in globalThis ? (await import("../../adapters/transport/bun.ts")).layerBun : (await import("../../adapters/transport/node.ts")).layerNode
  )
)

/** The network of a test cluster, where the fiber runs beside one; else the machine's. */
const network: Layer.Layer<Transport> = Layer.unwrapEffect(Effect.map(FiberRef.get(surroundings), (own) => own.transport ?? sockets))

/** The network, with what authentication over it needs. */
export const transport: Layer.Layer<Transport | Cryptography> = Layer.merge(network, cryptography)

/**
 * The services of the platform for clients and nodes, under Bun, Deno or Node. Native addons are used where they load,
 * TypeScript elsewhere.
 */
export const platform: Layer.Layer<Transport | Cryptography | Checksum | Compression> = Layer.mergeAll(network, cryptography, checksum, compression)
