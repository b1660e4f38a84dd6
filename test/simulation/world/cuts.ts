import type { MemoryNetwork } from "../../../adapters/transport/memory.ts"

/** Which nodes cannot reach each other. Several reasons may overlap; each is undone by itself. */
export class Cuts {
  private readonly held = new Set<{ readonly a: string; readonly b: string; readonly oneWay: boolean }>()

  constructor(private readonly network: MemoryNetwork) {}

  /** Returns a function that undoes it. */
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
