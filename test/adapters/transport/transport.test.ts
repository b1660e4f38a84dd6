import { layerBun } from "../../../adapters/transport/bun.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { layerNode } from "../../../adapters/transport/node.ts"
import { transportContract } from "../../src/ports/transport.contract.ts"

transportContract("over Bun's sockets", () => layerBun)
transportContract("over node:net", () => layerNode)
transportContract("in memory", () => new MemoryNetwork().layer("here"))
transportContract("in memory, slow and in small pieces", () => new MemoryNetwork({ delayMs: [0, 2], segmentBytes: [1000, 200_000] }).layer("here"))
