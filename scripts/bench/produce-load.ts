import { batchOf, producedOf, produceFrame } from "./topic.ts"
import { Wire } from "./wire.ts"

export interface Load {
  readonly topic: string
  readonly partitions: number
  /** The first partition, and from one to the next: 0 and 1. */
  readonly first?: number
  readonly step?: number
  /** Records of one batch. */
  readonly records: number
  readonly valueBytes: number
  readonly acks: 1 | -1
  readonly connections: number
  /** Requests of one connection that are under way. */
  readonly inFlight: number
  readonly seconds: number
}
export interface Done {
  readonly requests: number
  /** Bytes of record batches. */
  readonly bytes: number
  readonly seconds: number
}

/**
 * Produces for a while, each connection to a partition of its own, and looks at every hundredth answer: a broker that refuses is no fast broker. Each lane sends at least one
 * request, however short the time.
 */
export const produceLoad = async (port: number, load: Load): Promise<Done> => {
  const batch = batchOf(load.records, load.valueBytes)
  const wires = await Promise.all(Array.from({ length: load.connections }, () => Wire.open(port)))
  const started = performance.now()
  const end = started + load.seconds * 1000
  let requests = 0
  const lane = async (wire: Wire, frame: Uint8Array) => {
    do {
      const answer = await wire.ask(frame)
      if (requests++ % 100 !== 0) continue
      const { errorCode } = producedOf(answer)
      if (errorCode !== 0) throw new Error(`produce was answered with error ${errorCode}`)
    } while (performance.now() < end)
  }
  await Promise.all(
    wires.flatMap((wire, at) => {
      const frame = produceFrame(load.topic, (load.first ?? 0) + (load.step ?? 1) * (at % load.partitions), batch, load.acks)
      return Array.from({ length: load.inFlight }, () => lane(wire, frame))
    })
  )
  const seconds = (performance.now() - started) / 1000
  for (const wire of wires) wire.close()
  return { requests, bytes: requests * batch.length, seconds }
}

/** One batch after the other to all partitions in turn, until so many requests were answered. */
export const produceOver = async (port: number, load: Omit<Load, "seconds"> & { readonly requests: number }): Promise<Done> => {
  const batch = batchOf(load.records, load.valueBytes)
  const wires = await Promise.all(Array.from({ length: load.connections }, () => Wire.open(port)))
  const started = performance.now()
  let next = 0
  const lane = async (wire: Wire) => {
    while (next < load.requests) {
      // Made for each: ten thousand frames at once would be a GB.
      const { errorCode } = producedOf(await wire.ask(produceFrame(load.topic, (load.first ?? 0) + (next++ % load.partitions), batch, load.acks)))
      if (errorCode !== 0) throw new Error(`produce was answered with error ${errorCode}`)
    }
  }
  await Promise.all(wires.flatMap((wire) => Array.from({ length: load.inFlight }, () => lane(wire))))
  const seconds = (performance.now() - started) / 1000
  for (const wire of wires) wire.close()
  return { requests: load.requests, bytes: load.requests * batch.length, seconds }
}
