import { errorCode } from "../../../domain/kernel/error-code.ts"
import type { LogDirectory } from "../../ports/log-store.ts"
import { DescribeLogDirs } from "../../protocol/message/35-describe-log-dirs.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { nested, Sliced, type Steps, Stride } from "../../wire/sliced.ts"
import type { DirectoryMoves } from "../partition/hosted/directory-moves.ts"
import type { PartitionTable } from "../partition/hosted/table.ts"
import type { Replica } from "../partition/replica/replica.ts"
import type { TopicIdPartition } from "../partition/topic-id-partition.ts"

type Request = RequestOf<typeof DescribeLogDirs>
type Result = ResponseDraft<typeof DescribeLogDirs>["results"][number]
/** The partitions that the request names; undefined for all. */
type Named = ReadonlyMap<string, ReadonlySet<number>> | undefined

interface DescribeLogDirsOptions {
  readonly table: PartitionTable
  readonly directories: ReadonlyArray<LogDirectory>
  readonly moves: Pick<DirectoryMoves, "into">
}

const unknownBytes = -1n
const bytesOf = (bytes: number | undefined): bigint => (bytes === undefined ? unknownBytes : BigInt(bytes))

function* namedOf({ topics }: Request): Steps<Named> {
  if (topics === null) return undefined
  const named = new Map<string, Set<number>>()
  const stride = new Stride()
  for (const { partitions, topic } of topics) {
    const of = named.get(topic) ?? new Set<number>()
    named.set(topic, of)
    if (stride.takes()) yield
    for (const partition of partitions) {
      of.add(partition)
      if (stride.takes()) yield
    }
  }
  return named
}

type Described = Result["topics"][number]["partitions"][number]

/**
 * The partitions of a directory by topic, without those whose logs could not be opened, or were closed because of damage; then the
 * copies of logs that are being moved into it.
 */
function* topicsOf({ moves, table }: DescribeLogDirsOptions, directory: LogDirectory, named: Named): Steps<Result["topics"]> {
  const stride = new Stride()
  const byTopic = new Map<string, Array<Described>>()
  const add = ({ partition, topic }: Pick<Replica, "topic" | "partition">, sizeInBytes: number, lag?: number): void => {
    // The high watermark of a log is at most its end, so that the log itself has no lag.
    const described = { partitionIndex: partition, partitionSize: BigInt(sizeInBytes), offsetLag: BigInt(lag ?? 0), isFutureKey: lag !== undefined }
    const known = byTopic.get(topic)
    if (known === undefined) byTopic.set(topic, [described])
    else known.push(described)
  }
  const hosted = (of: TopicIdPartition): Replica | undefined => {
    const replica = table.slot(of.topicId, of.partition)
    const isShown = replica !== undefined && replica !== "failed" && !replica.isOffline
    return isShown && (named === undefined || named.get(replica.topic)?.has(of.partition) === true) ? replica : undefined
  }
  for (const each of directory.logs()) {
    const replica = hosted(each)
    if (stride.takes()) yield
    if (replica !== undefined) add(replica, replica.sizeInBytes)
  }
  for (const future of moves.into(directory.path)) {
    const replica = hosted(future)
    if (stride.takes()) yield
    if (replica !== undefined) add(replica, future.sizeInBytes, Math.max(0, replica.end() - future.copiedEnd))
  }
  return yield* nested(
    byTopic,
    ([, partitions]) => partitions.sort((a, b) => a.partitionIndex - b.partitionIndex),
    (_, partition) => partition,
    ([name], partitions) => ({ name, partitions })
  )
}

const offline = (logDir: string): Result => ({
  errorCode: errorCode("KAFKA_STORAGE_ERROR"),
  logDir,
  topics: [],
  totalBytes: unknownBytes,
  usableBytes: unknownBytes
})

function* describe(options: DescribeLogDirsOptions, directory: LogDirectory, named: Named): Steps<Result> {
  if (directory.fault() !== undefined) return offline(directory.path)
  try {
    const space = directory.space()
    return {
      errorCode: 0,
      logDir: directory.path,
      topics: yield* topicsOf(options, directory, named),
      totalBytes: bytesOf(space?.totalBytes),
      usableBytes: bytesOf(space?.usableBytes)
    }
  } catch {
    return offline(directory.path)
  }
}

/**
 * DescribeLogDirs 1-5 (KIP-113, KIP-827): the data directories of this broker, the bytes of each volume, and the bytes of the segments of each partition that is
 * named (all for null). A log that is being moved into a directory is there, too, with `isFutureKey` and the records that its copy lacks. A partition that is not on this broker is left out. An offline directory has the error KAFKA_STORAGE_ERROR and no partitions.
 */
export const describeLogDirs = (options: DescribeLogDirsOptions): Route =>
  route(
    DescribeLogDirs,
    {},
    (request) =>
      new Sliced(function* () {
        const named = yield* namedOf(request)
        const results: Array<Result> = []
        for (const directory of options.directories) results.push(yield* describe(options, directory, named))
        return { errorCode: 0, results }
      })
  )
