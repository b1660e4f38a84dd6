import { Either } from "effect"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { Compression } from "../../ports/compression.ts"
import { ListOffsets } from "../../protocol/message/02-list-offsets.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { Sliced, type Steps, Stride } from "../../wire/sliced.ts"
import type { FindReadable, ReadablePartition } from "../readable.ts"
import { notFound, OffsetLookup, type OffsetResult } from "./offset-lookup.ts"

type Request = RequestOf<typeof ListOffsets>
type Response = ResponseDraft<typeof ListOffsets>
type PartitionRequest = Request["topics"][number]["partitions"][number]
type PartitionResponse = Response["topics"][number]["partitions"][number]

interface ListOffsetsOptions {
  readonly find: FindReadable
  readonly decompress: Compression["Type"]["decompress"]
}

/** Kafka's special timestamps, each with its first version. */
const special = {
  latest: { timestamp: -1n, since: 1 },
  earliest: { timestamp: -2n, since: 1 },
  maxTimestamp: { timestamp: -3n, since: 7 },
  earliestLocal: { timestamp: -4n, since: 8 },
  latestTiered: { timestamp: -5n, since: 9 },
  earliestPendingUpload: { timestamp: -6n, since: 11 }
} as const
type Special = keyof typeof special
const names = Object.keys(special) as ReadonlyArray<Special>

/** The first version with OFFSET_NOT_AVAILABLE. */
const offsetNotAvailableSince = 5

/** The meaning of a negative timestamp; "time" for a real one, "unsupported" for one that the version does not have. */
const meaning = (timestamp: bigint, version: number): Special | "time" | "unsupported" => {
  if (timestamp >= 0n) return "time"
  const name = names.find((each) => special[each].timestamp === timestamp)
  return name !== undefined && version >= special[name].since ? name : "unsupported"
}

const lookUp = (partition: ReadablePartition, request: Special | "time", timestamp: bigint, lookup: OffsetLookup): Either.Either<OffsetResult, KafkaError> => {
  switch (request) {
    case "latest":
      // A smaller offset than a leader before this one answered would make consumers reset.
      if (partition.isLatestKnown?.() === false) return Either.left("OFFSET_NOT_AVAILABLE")
      return Either.right({ timestamp: -1, offset: partition.highWatermark(), leaderEpoch: partition.leaderEpoch() })
    case "earliest":
    case "earliestLocal":
      return lookup.earliest(partition)
    // There is no tiered storage that could have an offset.
    case "latestTiered":
    case "earliestPendingUpload":
      return Either.right(notFound)
    case "maxTimestamp":
      return lookup.latestTime(partition)
    case "time":
      return lookup.earliestAtTime(partition, Number(timestamp))
  }
}

const failure = (partitionIndex: number, error: KafkaError): PartitionResponse => ({ partitionIndex, errorCode: errorCode(error) })

const answer = (find: FindReadable, lookup: OffsetLookup, name: string, request: PartitionRequest, version: number): PartitionResponse => {
  const { partitionIndex, currentLeaderEpoch, timestamp } = request
  const what = meaning(timestamp, version)
  if (what === "unsupported") return failure(partitionIndex, "UNSUPPORTED_VERSION")
  const partition = find({ name }, partitionIndex)
  if (typeof partition === "string") return failure(partitionIndex, partition)
  const epoch = partition.leaderEpoch()
  if (currentLeaderEpoch !== -1 && currentLeaderEpoch !== epoch)
    return failure(partitionIndex, currentLeaderEpoch < epoch ? "FENCED_LEADER_EPOCH" : "UNKNOWN_LEADER_EPOCH")
  const found = lookUp(partition, what, timestamp, lookup)
  if (Either.isLeft(found))
    return failure(partitionIndex, version < offsetNotAvailableSince && found.left === "OFFSET_NOT_AVAILABLE" ? "LEADER_NOT_AVAILABLE" : found.left)
  const { leaderEpoch, offset, timestamp: at } = found.right
  // Before version 4 the response has no field for an epoch.
  return { partitionIndex, errorCode: 0, timestamp: BigInt(at), offset: BigInt(offset), ...(version >= 4 ? { leaderEpoch } : {}) }
}

/** Counts the mentions of each partition, by topic: Kafka refuses duplicates. */
function* timesNamed({ topics }: Request): Steps<ReadonlyMap<string, ReadonlyMap<number, number>>> {
  const byTopic = new Map<string, Map<number, number>>()
  const stride = new Stride()
  for (const { name, partitions } of topics) {
    const times = byTopic.get(name) ?? new Map<number, number>()
    byTopic.set(name, times)
    if (stride.takes()) yield
    for (const { partitionIndex } of partitions) {
      times.set(partitionIndex, (times.get(partitionIndex) ?? 0) + 1)
      if (stride.takes()) yield
    }
  }
  return byTopic
}

/** Approximate µs of work between two pauses. */
const costPerStep = 200

function* listed({ decompress, find }: ListOffsetsOptions, request: Request, version: number): Steps<Response> {
  const lookup = new OffsetLookup(decompress)
  const byTopic = yield* timesNamed(request)
  const topics: Array<{ readonly name: string; readonly partitions: ReadonlyArray<PartitionResponse> }> = []
  let pauseAt = costPerStep
  for (const { name, partitions } of request.topics) {
    const times = byTopic.get(name)
    const responses: Array<PartitionResponse> = []
    for (const request of partitions) {
      const isOnce = times?.get(request.partitionIndex) === 1
      responses.push(isOnce ? answer(find, lookup, name, request, version) : failure(request.partitionIndex, "INVALID_REQUEST"))
      if (++lookup.cost < pauseAt) continue
      pauseAt = lookup.cost + costPerStep
      yield
    }
    topics.push({ name, partitions: responses })
    if (++lookup.cost < pauseAt) continue
    pauseAt = lookup.cost + costPerStep
    yield
  }
  return { topics }
}

/** The replica id of a tool that asks any replica, not the leader alone. */
const debuggingReplica = -2

/**
 * ListOffsets: the offset that a point in time has in each partition. A time in ms asks for the first record at or after it; -1 for the end, -2 and -4 for the
 * start, -3 for the first record with the largest timestamp (KIP-734); -5 (KIP-1005) and -6 (KIP-1023) ask about tiered storage, of which there is none: offset -1.
 * Read committed is the same as read uncommitted. A follower answers replica -2 alone. `timeoutMs` has no effect, since there is no remote storage to wait for.
 *
 * A time is looked up in the time index, and then in the batch that holds it, which is unpacked to at most 32 MiB, all batches of a request to at most 1 GiB: what is
 * beyond is answered with the batch's beginning. Look-ups pause after each 0.2 ms or so.
 *
 * Errors of a partition: those of Fetch; OFFSET_NOT_AVAILABLE for the end while a new leader does not know it; UNSUPPORTED_VERSION for a special time that the version lacks; INVALID_REQUEST for one that is named twice;
 * CORRUPT_MESSAGE when the batch that holds the time cannot be opened.
 */
export const listOffsets =
  (options: ListOffsetsOptions) =>
  (request: Request, { version }: { readonly version: number }): Sliced<Response> =>
    new Sliced(() => {
      const { decompress, find } = options
      return listed(request.replicaId === debuggingReplica ? { decompress, find: (topic, index) => find(topic, index, "consumer") } : options, request, version)
    })
