import { Fetch } from "../../src/protocol/message/01-fetch.ts"
import type { Done } from "./produce-load.ts"
import { answerOf, frameOf, Wire, withWire } from "./wire.ts"

/** The newest that names topics by name. */
const fetchVersion = 12

interface LoadOptions {
  readonly partition: number
  readonly offset: number
}

export const fetchFrame = (topic: string, wanted: ReadonlyArray<LoadOptions>, maxBytes: number): Uint8Array =>
  frameOf(Fetch, fetchVersion, {
    replicaId: -1,
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes,
    topics: [
      {
        topic,
        partitions: wanted.map(({ offset, partition }) => ({ partition, fetchOffset: BigInt(offset), partitionMaxBytes: maxBytes }))
      }
    ]
  })

/** The last offsets and the number of batches in a run of batches; the last may have been cut short. */
export const runOf = (records: Uint8Array | null): { readonly batches: number; readonly nextOffset: number | undefined } => {
  if (records === null) return { batches: 0, nextOffset: undefined }
  const view = new DataView(records.buffer, records.byteOffset, records.length)
  let batches = 0
  let nextOffset: number | undefined
  for (let at = 0; at + 61 <= records.length; batches++) {
    const size = 12 + view.getInt32(at + 8)
    if (at + size > records.length) break
    nextOffset = Number(view.getBigInt64(at)) + view.getInt32(at + 23) + 1
    at += size
  }
  return { batches, nextOffset }
}

export const fetchedOf = (answer: { readonly bytes: Uint8Array; readonly size: number }) => {
  const { errorCode, responses } = answerOf(Fetch, fetchVersion, answer)
  const partitions = responses.flatMap((topic) => topic.partitions)
  const refused = errorCode !== 0 ? errorCode : partitions.find((partition) => partition.errorCode !== 0)?.errorCode
  if (refused !== undefined) throw new Error(`fetch was answered with error ${refused}`)
  return partitions
}

/** One request for each answer that reads the partition from its start to its end. */
export const fetchesOf = (port: number, topic: string, partition: number, maxBytes: number): Promise<ReadonlyArray<Uint8Array>> =>
  withWire(port, async (wire) => {
    const frames: Array<Uint8Array> = []
    for (let offset = 0; ; ) {
      const frame = fetchFrame(topic, [{ partition, offset }], maxBytes)
      const { nextOffset } = runOf(fetchedOf(await wire.ask(frame))[0]?.records ?? null)
      // The last answers are short: they would be small requests in a figure about large ones.
      if (nextOffset === undefined) return frames.length > 1 ? frames.slice(0, -1) : frames
      frames.push(frame)
      offset = nextOffset
    }
  })

/** The requests over and over again, on each connection one after the other; at least one on each, however short the time. */
export const fetchLoad = async (
  port: number,
  frames: ReadonlyArray<Uint8Array>,
  { connections, seconds }: { readonly connections: number; readonly seconds: number }
): Promise<Done> => {
  const wires = await Promise.all(Array.from({ length: connections }, () => Wire.open(port)))
  const started = performance.now()
  const end = started + seconds * 1000
  let requests = 0
  let bytes = 0
  await Promise.all(
    wires.map(async (wire, at) => {
      let next = Math.floor((at * frames.length) / connections)
      do {
        const whole = requests++ % 100 === 0
        const answer = await wire.ask(frames[next++ % frames.length] as Uint8Array, whole ? undefined : 64)
        if (whole) fetchedOf(answer)
        bytes += answer.size
      } while (performance.now() < end)
    })
  )
  const taken = (performance.now() - started) / 1000
  for (const wire of wires) wire.close()
  return { requests, bytes, seconds: taken }
}
