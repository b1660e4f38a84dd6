import { producerIdBlockMax, producerIdBlockSize } from "../../../domain/cluster/bounds.ts"

/** A node that asks for the next block within this time gets a larger one, ms. */
const soonMs = 60_000
/** Nodes whose last block is remembered: as many as there may be brokers, and the leader. */
const rememberedMax = 2000

/**
 * How many producer ids a node gets at a time. A block is an event that the journal keeps for good, and a client may ask for ids without end: each block that was used up
 * within a minute is followed by one of twice the size, so that there are a few events a minute whatever is asked for.
 */
export class ProducerIdBlocks {
  private readonly last = new Map<number, { readonly at: number; readonly size: number }>()

  constructor(private readonly nowMs: () => number) {}

  next(node: number): number {
    const at = this.nowMs()
    const before = this.last.get(node)
    const size = before === undefined || at - before.at >= soonMs ? producerIdBlockSize : Math.min(2 * before.size, producerIdBlockMax)
    this.last.delete(node)
    this.last.set(node, { at, size })
    for (const oldest of this.last.keys()) {
      if (this.last.size <= rememberedMax) break
      this.last.delete(oldest)
    }
    return size
  }
}
