import type { MemoryNetwork } from "../../../adapters/transport/memory.ts"

/** Who cannot reach whom: several reasons may overlap, and each is taken back on its own. */
export class Cuts {
  private readonly held = new Set<{ readonly a: string; readonly b: string; readonly oneWay: boolean }>()

  constructor(private readonly network: MemoryNetwork) {}

  /** Answers how to take it back. */
  cut(a: string, b: string, oneWay: boolean): () => void {
    const one = { a, b, oneWay }
    this.held.add(one)
    this.network.cut(a, b, oneWay)
    return () => {
      this.held.delete(one)
      this.network.heal()
      for (const each of this.held) this.network.cut(each.a, each.b, each.oneWay)
    }
  }
  heal(): void {
    this.held.clear()
    this.network.heal()
  }
}
