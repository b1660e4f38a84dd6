import { Either } from "effect"
import { crc32c } from "../../domain/log/crc32c.ts"
import { encodeBatch } from "../../domain/log/record.ts"
import { decodeResponseFrame, requestFrame } from "../../src/protocol/codec/frame.ts"
import { joined } from "../../src/protocol/codec/joined.ts"
import { Produce } from "../../src/protocol/message/00-produce.ts"
import { Metadata } from "../../src/protocol/message/03-metadata.ts"
import { CreateTopics } from "../../src/protocol/message/19-create-topics.ts"
import type { AnyApi, RequestDraft, ResponseOf } from "../../src/protocol/type/wire.ts"

/** Load straight on TCP: prebuilt frames and a count of answers, so that no client library stands between the figure and the broker. */

const clientId = "franz-bench"
/** Produce by topic name: both brokers take it, and both must read it the same way. */
const produceVersion = 11

interface Socket {
  write(bytes: Uint8Array): number
  end(): void
}

/** One connection: frames go out, whole answers come in, in order. */
class Wire {
  private socket: Socket | undefined
  private unsent: Array<Uint8Array> = []
  private held = new Uint8Array(0)
  private failure: Error | undefined
  private waiting: Array<(frame: Uint8Array) => void> = []
  private failed: Array<(cause: Error) => void> = []

  static async open(port: number): Promise<Wire> {
    const wire = new Wire()
    wire.socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data: (_, bytes) => wire.received(bytes),
        drain: () => wire.flush(),
        close: () => wire.fail(new Error(`the broker on port ${port} closed the connection`)),
        error: (_, cause) => wire.fail(cause)
      }
    })
    return wire
  }

  /** The next answer to `frame`, without its length. */
  ask(frame: Uint8Array): Promise<Uint8Array> {
    if (this.failure) return Promise.reject(this.failure)
    const answer = new Promise<Uint8Array>((resolve, reject) => {
      this.waiting.push(resolve)
      this.failed.push(reject)
    })
    this.unsent.push(frame)
    this.flush()
    return answer
  }

  close(): void {
    this.failure = new Error("closed")
    this.socket?.end()
  }

  private flush(): void {
    for (let next = this.unsent[0]; next; next = this.unsent[0]) {
      const sent = this.socket?.write(next) ?? 0
      if (sent < next.length) {
        this.unsent[0] = next.subarray(Math.max(0, sent))
        return
      }
      this.unsent.shift()
    }
  }

  private received(bytes: Uint8Array): void {
    let rest = this.held.length === 0 ? bytes : joined([this.held, bytes])
    while (rest.length >= 4) {
      const size = new DataView(rest.buffer, rest.byteOffset).getInt32(0)
      if (rest.length < 4 + size) break
      this.failed.shift()
      this.waiting.shift()?.(rest.subarray(4, 4 + size))
      rest = rest.subarray(4 + size)
    }
    this.held = rest.slice()
  }

  private fail(cause: Error): void {
    this.failure ??= cause
    for (const reject of this.failed.splice(0)) reject(this.failure)
    this.waiting = []
  }
}

const call = async <A extends AnyApi>(wire: Wire, api: A, version: number, draft: RequestDraft<A>): Promise<ResponseOf<A>> => {
  const frame = await wire.ask(joined(requestFrame(api, version, { correlationId: 1, clientId }, draft)))
  return Either.getOrThrow(decodeResponseFrame(api, version, frame)).value
}

/** Asks for metadata once; false while nobody answers. */
export const answersMetadata = async (port: number): Promise<boolean> => {
  try {
    const wire = await Wire.open(port)
    const answer = await call(wire, Metadata, 12, { topics: [] })
    wire.close()
    return answer.brokers.length > 0
  } catch {
    return false
  }
}

/** A partition keeps half a GB, so that neither a disk nor the page cache fills up. */
const kept = [
  { name: "segment.bytes", value: "134217728" },
  { name: "retention.bytes", value: "536870912" }
]

/** Creates a topic and waits until each of its partitions takes records. */
export const createTopic = async (port: number, name: string, numPartitions: number): Promise<void> => {
  const wire = await Wire.open(port)
  // A broker that has just started answers before it takes topics.
  for (let tries = 0; ; tries++) {
    const topics = [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: kept }]
    const created = (await call(wire, CreateTopics, 7, { topics, timeoutMs: 30_000 })).topics[0]
    if (created?.errorCode === 0) break
    if (tries > 200) throw new Error(`topic ${name}: error ${created?.errorCode} ${created?.errorMessage ?? ""}`)
    await Bun.sleep(50)
  }
  for (let partition = 0; partition < numPartitions; partition++) {
    while ((await produceOnce(wire, name, partition)) !== 0) await Bun.sleep(20)
  }
  wire.close()
}

/** A batch of `records` values of `valueBytes` random-looking bytes, as a client would send it. */
export const batchOf = (records: number, valueBytes: number): Uint8Array => {
  let seed = 1
  const value = Uint8Array.from({ length: valueBytes }, () => (seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff) & 0xff)
  const one = { timestamp: Date.now(), key: null, value, headers: [] }
  return encodeBatch({ codec: "none", records: Array.from({ length: records }, () => one) }, { crc32c, compress: (_, bytes) => bytes })
}

const produceFrame = (topic: string, index: number, records: Uint8Array, acks: number): Uint8Array =>
  joined(
    requestFrame(
      Produce,
      produceVersion,
      { correlationId: 1, clientId },
      { acks, timeoutMs: 30_000, topicData: [{ name: topic, partitionData: [{ index, records }] }] }
    )
  )

const produceOnce = async (wire: Wire, topic: string, partition: number): Promise<number> => {
  const answer = await wire.ask(produceFrame(topic, partition, batchOf(1, 1), 1))
  return Either.getOrThrow(decodeResponseFrame(Produce, produceVersion, answer)).value.responses[0]?.partitionResponses[0]?.errorCode ?? -1
}

export interface Load {
  readonly topic: string
  readonly partitions: number
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

/** Produces for a while, each connection to a partition of its own, and looks at every hundredth answer: a broker that refuses is no fast broker. */
export const produceLoad = async (port: number, load: Load): Promise<Done> => {
  const batch = batchOf(load.records, load.valueBytes)
  const started = performance.now()
  const end = started + load.seconds * 1000
  let requests = 0
  const lane = async (wire: Wire, frame: Uint8Array) => {
    while (performance.now() < end) {
      const answer = await wire.ask(frame)
      if (requests++ % 100 !== 0) continue
      const code = Either.getOrThrow(decodeResponseFrame(Produce, produceVersion, answer)).value.responses[0]?.partitionResponses[0]?.errorCode
      if (code !== 0) throw new Error(`produce was answered with error ${code}`)
    }
  }
  const wires = await Promise.all(Array.from({ length: load.connections }, () => Wire.open(port)))
  await Promise.all(
    wires.flatMap((wire, at) => {
      const frame = produceFrame(load.topic, at % load.partitions, batch, load.acks)
      return Array.from({ length: load.inFlight }, () => lane(wire, frame))
    })
  )
  for (const wire of wires) wire.close()
  return { requests, bytes: requests * batch.length, seconds: (performance.now() - started) / 1000 }
}
