import { fetchedOf, fetchFrame, runOf } from "./fetch-load.ts"
import { appendOne, batchOf, producedOf, produceFrame } from "./topic.ts"
import { Wire } from "./wire.ts"

export interface Steady {
  readonly topic: string
  /** Each has a producer with a connection of its own; one consumer reads them all. */
  readonly partitions: number
  readonly perSecond: number
  readonly valueBytes: number
  readonly acks: 1 | -1
  readonly seconds: number
}

const fetchBytes = 1_048_576
/** A broker that is this far behind at the end is called saturated: what is missing counts with its age. */
const patienceMs = 5000

/** One partition's messages: when each was sent, and how many have been read. */
interface Lane {
  readonly partition: number
  readonly wire: Wire
  readonly frame: Uint8Array
  readonly sentAt: Array<number>
  offset: number
  read: number
}

/** The value below which so much of the sorted list lies. */
const percentile = (sorted: ReadonlyArray<number>, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN

/** What came of a steady load: ms from the sending of a message until a consumer has it, and how many messages there were. */
export interface SteadyResult {
  readonly p50: number
  readonly p99: number
  readonly messages: number
}

/**
 * Sends messages of one record and one request each, at a steady rate whatever the brokers do: each partition at the port of its leader. It ends by count, not by time: each
 * partition gets at least one message, also where this process does not run for longer than the load is to take.
 */
export const steadyLoad = async (ports: number | ReadonlyArray<number>, load: Steady): Promise<SteadyResult> => {
  const batch = batchOf(1, load.valueBytes)
  const portOf = (partition: number): number => (typeof ports === "number" ? ports : (ports[partition % ports.length] ?? 0))
  const lanes: Array<Lane> = []
  for (let partition = 0; partition < load.partitions; partition++) {
    const wire = await Wire.open(portOf(partition))
    const offset = await appendOne(wire, load.topic, partition)
    if (offset === undefined) throw new Error(`partition ${partition} of ${load.topic} takes no records`)
    lanes.push({ partition, wire, frame: produceFrame(load.topic, partition, batch, load.acks), sentAt: [], offset, read: 0 })
  }
  const latencies: Array<number> = []
  const state = { failure: undefined as unknown, isOver: false }
  const fail = (cause: unknown) => (state.failure ??= cause)
  const leaders = new Set(lanes.map(({ partition }) => portOf(partition)))
  const consumed = [...leaders].map((port) => {
    const led = lanes.filter(({ partition }) => portOf(partition) === port)
    return consume(port, load.topic, led, latencies, state).catch(fail)
  })
  const consuming = Promise.all(consumed)
  const total = Math.max(lanes.length, Math.floor(load.seconds * load.perSecond))
  const started = performance.now()
  for (let sent = 0; state.failure === undefined && sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - started) / 1000) * load.perSecond))
    for (; sent < due; sent++) send(lanes[sent % lanes.length] as Lane, sent, fail)
    await Bun.sleep(1)
  }
  const end = performance.now() + patienceMs
  while (state.failure === undefined && performance.now() < end && lanes.some(({ read, sentAt }) => read < sentAt.length)) await Bun.sleep(5)
  state.isOver = true
  const now = performance.now()
  for (const { read, sentAt } of lanes) for (const at of sentAt.slice(read)) latencies.push(now - at)
  for (const { wire } of lanes) wire.close()
  await consuming
  if (state.failure !== undefined) throw state.failure
  const sorted = latencies.sort((a, b) => a - b)
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), messages: sorted.length }
}

const send = (lane: Lane, number: number, fail: (cause: unknown) => void): void => {
  lane.sentAt.push(performance.now())
  const look = async (): Promise<void> => {
    const answer = await lane.wire.ask(lane.frame)
    if (number % 100 !== 0) return
    const { errorCode } = producedOf(answer)
    if (errorCode !== 0) fail(new Error(`produce was answered with error ${errorCode}`))
  }
  // A connection that ends is seen by the reader, who misses the messages.
  look().catch(() => undefined)
}

const consume = async (port: number, topic: string, lanes: ReadonlyArray<Lane>, latencies: Array<number>, state: { readonly isOver: boolean }) => {
  const wire = await Wire.open(port)
  while (!state.isOver) {
    const wanted = lanes.map(({ offset, partition, read }) => ({ partition, offset: offset + read }))
    const partitions = fetchedOf(await wire.ask(fetchFrame(topic, wanted, fetchBytes)))
    const now = performance.now()
    for (const { partitionIndex, records } of partitions) {
      const lane = lanes.find(({ partition }) => partition === partitionIndex) as Lane
      const { nextOffset } = runOf(records)
      for (; nextOffset !== undefined && lane.offset + lane.read < nextOffset; lane.read++) latencies.push(now - (lane.sentAt[lane.read] ?? now))
    }
  }
  wire.close()
}
