/** The longest times without an acknowledgement, ms, by client; "any": where the acknowledgements of all clients count. */
export type Pauses = Readonly<Record<string, number>>
export const anyClient = "any"

/** When messages were acknowledged, by client and partition, ms. */
export class Acknowledgements {
  private readonly times = new Map<string, Map<number, Array<number>>>()

  add(client: string, partition: number, atMs: number): void {
    for (const name of [client, anyClient]) {
      const partitions = this.times.get(name) ?? new Map<number, Array<number>>()
      this.times.set(name, partitions)
      const times = partitions.get(partition)
      if (times === undefined) partitions.set(partition, [atMs])
      else times.push(atMs)
    }
  }
  /** Whether each client had an acknowledgement in each partition after `ms`. */
  allSince(ms: number, clients: ReadonlyArray<string>, partitions: number): boolean {
    return clients.every((client) => {
      const found = this.times.get(client)
      return found !== undefined && found.size === partitions && [...found.values()].every((times) => (times.at(-1) ?? 0) > ms)
    })
  }
  /** The longest time without an acknowledgement in any one partition that ends after `sinceMs`. */
  pausesSince(sinceMs: number): Pauses {
    const longest: Record<string, number> = {}
    for (const [client, partitions] of this.times)
      for (const times of partitions.values()) longest[client] = Math.max(longest[client] ?? 0, longestPause(times, sinceMs))
    return longest
  }
  /** The first acknowledgement of a client at `ms` or later; undefined without one. */
  firstSince(client: string, ms: number): number | undefined {
    const times = [...(this.times.get(client)?.values() ?? [])].flat().filter((at) => at >= ms)
    return times.length === 0 ? undefined : Math.min(...times)
  }
  /** Drops what no later event needs. */
  forgetBefore(ms: number): void {
    for (const partitions of this.times.values())
      for (const times of partitions.values()) {
        const kept = times.findIndex((at) => at > ms)
        times.splice(0, (kept === -1 ? times.length : kept) - 1)
      }
  }
}

/** Lines of several clients arrive a little out of order. */
const longestPause = (times: ReadonlyArray<number>, sinceMs: number): number => {
  const sorted = times.toSorted((one, other) => one - other)
  let longest = 0
  for (const [nth, at] of sorted.entries()) {
    const before = sorted[nth - 1]
    if (before !== undefined && at > sinceMs) longest = Math.max(longest, at - before)
  }
  return longest
}

export interface Quantiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
}
/** The nearest-rank quantiles. Undefined without values. */
export const quantiles = (values: ReadonlyArray<number>): Quantiles | undefined => {
  const sorted = values.toSorted((one, other) => one - other)
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  return sorted.length === 0 ? undefined : { p50: at(0.5), p99: at(0.99), max: at(1) }
}
