import { errorCode } from "../../../domain/kernel/error-code.ts"
import type { LogDirectory } from "../../ports/log-store.ts"
import { DescribeLogDirs } from "../../protocol/message/35-describe-log-dirs.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { nested, Sliced, type Steps, Stride } from "../../wire/sliced.ts"
import type { PartitionTable } from "../partition/hosted/table.ts"
import type { PartitionOwner } from "../partition/replica/owner.ts"

type Request = RequestOf<typeof DescribeLogDirs>
type Result = ResponseDraft<typeof DescribeLogDirs>["results"][number]
type Wanted = ReadonlyMap<string, ReadonlySet<number>> | undefined

interface DescribeLogDirsOptions {
  readonly table: PartitionTable
  readonly directories: ReadonlyArray<LogDirectory>
}

const unknownBytes = -1n
const bytesOf = (bytes: number | undefined): bigint => (bytes === undefined ? unknownBytes : BigInt(bytes))

function* wantedOf({ topics }: Request): Steps<Wanted> {
  if (topics === null) return undefined
  const wanted = new Map<string, Set<number>>()
  const stride = new Stride()
  for (const { partitions, topic } of topics) {
    const of = wanted.get(topic) ?? new Set<number>()
    wanted.set(topic, of)
    if (stride.takes()) yield
    for (const partition of partitions) {
      of.add(partition)
      if (stride.takes()) yield
    }
  }
  return wanted
}

/** The partitions of a directory that serve, by topic; one whose log could not be opened has no size. */
function* topicsOf(table: PartitionTable, directory: LogDirectory, wanted: Wanted): Steps<Result["topics"]> {
  const stride = new Stride()
  const byTopic = new Map<string, Array<PartitionOwner>>()
  for (const { partition, topicId } of directory.logs()) {
    const owner = table.slot(topicId, partition)
    if (stride.takes()) yield
    if (owner === undefined || owner === "failed" || (wanted !== undefined && wanted.get(owner.topic)?.has(partition) !== true)) continue
    const owners = byTopic.get(owner.topic)
    if (owners === undefined) byTopic.set(owner.topic, [owner])
    else owners.push(owner)
  }
  return yield* nested(
    byTopic,
    ([, owners]) => owners.sort((a, b) => a.partition - b.partition),
    // The high watermark is the end of the log, and no log is on its way to another directory.
    (_, { partition, sizeInBytes }) => ({ partitionIndex: partition, partitionSize: BigInt(sizeInBytes), offsetLag: 0n, isFutureKey: false }),
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

function* describe(table: PartitionTable, directory: LogDirectory, wanted: Wanted): Steps<Result> {
  if (directory.fault() !== undefined) return offline(directory.path)
  try {
    const space = directory.space()
    return {
      errorCode: 0,
      logDir: directory.path,
      topics: yield* topicsOf(table, directory, wanted),
      totalBytes: bytesOf(space?.totalBytes),
      usableBytes: bytesOf(space?.usableBytes)
    }
  } catch {
    return offline(directory.path)
  }
}

/**
 * DescribeLogDirs 1-5 (KIP-113, KIP-827): the data directories of this broker, the bytes of each volume, and the bytes of the segments of each partition that is
 * asked for (all of them for null). A partition that is not here is left out. A directory that is offline has the error KAFKA_STORAGE_ERROR and nothing else.
 */
export const describeLogDirs = ({ directories, table }: DescribeLogDirsOptions): Route =>
  route(
    DescribeLogDirs,
    {},
    (request) =>
      new Sliced(function* () {
        const wanted = yield* wantedOf(request)
        const results: Array<Result> = []
        for (const directory of directories) results.push(yield* describe(table, directory, wanted))
        return { errorCode: 0, results }
      })
  )
