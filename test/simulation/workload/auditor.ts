import { Effect, Either, type Scope } from "effect"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { readableBatches, verify } from "../../../domain/log/batch.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import type { Address, Transport } from "../../../src/ports/transport.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import { ListOffsets } from "../../../src/protocol/message/02-list-offsets.ts"
import { OffsetFetch } from "../../../src/protocol/message/09-offset-fetch.ts"
import type { Link } from "../../../src/wire/link.ts"
import type { Chance } from "../chance.ts"
import type { BatchRead, TopicPartition } from "../history.ts"
import type { Recorder } from "../recorder.ts"
import { batchRead } from "../world/disk-reading.ts"
import { linkTo } from "./link.ts"

interface AuditorWork {
  readonly process: string
  readonly recorder: Recorder
  readonly chance: Chance
  readonly nodes: ReadonlyArray<Address>
  readonly places: ReadonlyArray<TopicPartition>
  /** Groups whose offsets are asked for, and the places that they commit. */
  readonly groups: ReadonlyArray<string>
  /** Whether a node surely coordinates a group at this moment. */
  readonly coordinates: (node: Address, group: string) => boolean
}

/** From the next version on Fetch names topics by id alone. */
const fetchByName = 12
const offsetFetchVersion = 7
const listOffsetsVersion = 7
const earliest = -2n
const latest = -1n

export interface Fetched {
  readonly batches: ReadonlyArray<BatchRead>
  readonly highWatermark: number
}

/** One Fetch of one partition, from `offset` on. Undefined where the node does not serve it, and for damaged records, which a consumer refuses. */
export const fetchFrom = (link: Link, { partition, topic }: TopicPartition, offset: number, maxBytes: number): Effect.Effect<Fetched | undefined, unknown> =>
  Effect.map(
    link.call(
      Fetch,
      { maxWaitMs: 0, minBytes: 0, maxBytes, topics: [{ topic, partitions: [{ partition, fetchOffset: BigInt(offset), partitionMaxBytes: maxBytes }] }] },
      { version: fetchByName }
    ),
    (answer) => {
      const found = answer.responses[0]?.partitions[0]
      if (found === undefined || answer.errorCode !== 0 || found.errorCode !== 0) return undefined
      const batches = Either.getOrElse(readableBatches(found.records ?? new Uint8Array(0)), () => [])
      if (batches.some((batch) => verify(batch, crc32c) !== undefined)) return undefined
      return { batches: batches.map(batchRead), highWatermark: Number(found.highWatermark) }
    }
  )

/** Where one partition starts and ends. Undefined where the node does not serve it. */
export const extentOf = (
  link: Link,
  { partition, topic }: TopicPartition
): Effect.Effect<{ readonly start: number; readonly end: number } | undefined, unknown> =>
  Effect.map(
    Effect.forEach([earliest, latest], (timestamp) =>
      link.call(
        ListOffsets,
        { replicaId: -1, topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp }] }] },
        { version: listOffsetsVersion }
      )
    ),
    (answers) => {
      const [start, end] = answers.map(({ topics }) => topics[0]?.partitions[0])
      if (start === undefined || end === undefined || start.errorCode !== 0 || end.errorCode !== 0) return undefined
      return { start: Number(start.offset), end: Number(end.offset) }
    }
  )

/** The offset that a group has committed; -1 for none, undefined where no node could answer. */
export const committedOffset = (link: Link, group: string, { partition, topic }: TopicPartition): Effect.Effect<number | undefined, unknown> =>
  Effect.map(
    link.call(OffsetFetch, { groupId: group, topics: [{ name: topic, partitionIndexes: [partition] }] }, { version: offsetFetchVersion }),
    (answer) => {
      const found = answer.topics[0]?.partitions[0]
      if (kafkaError(answer.errorCode) !== "NONE" || found === undefined || found.errorCode !== 0) return undefined
      return Number(found.committedOffset)
    }
  )

/** Asks for one group's offset of one place, and notes the question with its answer. */
export const readOffset = (
  { process, recorder }: Pick<AuditorWork, "process" | "recorder">,
  link: Link,
  group: string,
  place: TopicPartition,
  coordinates: () => boolean = () => true
): Effect.Effect<void, unknown> =>
  Effect.suspend(() => {
    const question = { group, ...place, mayBeOld: !coordinates() }
    const complete = recorder.invoke(recorder.offsetReads, process, question)
    return Effect.map(committedOffset(link, group, place), (offset) => {
      if (offset === undefined) return
      question.mayBeOld ||= !coordinates()
      recorder.say(`${process} reads ${group} ${place.topic}-${place.partition}@${offset}`)
      complete({ _tag: "ok", value: offset })
    })
  })

const readLog = ({ chance, process, recorder }: AuditorWork, link: Link, place: TopicPartition): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const since = recorder.next()
    const extent = yield* extentOf(link, place)
    if (extent === undefined || extent.end === extent.start) return
    const fetched = yield* fetchFrom(link, place, chance.between(extent.start, extent.end - 1), 20_000)
    if (fetched === undefined || fetched.batches.length === 0) return
    recorder.say(`${process} fetches ${place.topic}-${place.partition} from ${fetched.batches[0]?.baseOffset}`)
    recorder.logs.push({ ...place, since, at: recorder.next(), source: "fetch", batches: fetched.batches })
  })

/** Reads pieces of logs and committed offsets from random nodes. */
export const auditing = (work: AuditorWork): Effect.Effect<never, never, Transport> => {
  const { chance, coordinates, groups, nodes, places, process } = work
  const offset = (link: Link, node: Address) => {
    const group = chance.pick(groups)
    return readOffset(work, link, group, chance.pick(places), () => coordinates(node, group))
  }
  const look = (link: Link, node: Address) =>
    Effect.gen(function* () {
      yield* Effect.sleep(chance.between(10, 300))
      if (groups.length > 0 && chance.isTrue(0.5)) yield* offset(link, node)
      else yield* readLog(work, link, chance.pick(places))
    })
  const visit: Effect.Effect<void, unknown, Transport | Scope.Scope> = Effect.gen(function* () {
    const node = chance.pick(nodes)
    const link = yield* linkTo(node, process)
    const looks = chance.between(1, 30)
    for (let n = 0; n < looks; n++) yield* look(link, node)
  })
  return Effect.forever(Effect.catchAll(Effect.scoped(visit), () => Effect.sleep(100)))
}
