import { errorCode } from "../../../domain/kernel/error-code.ts"
import type { LogDirectory } from "../../ports/log-store.ts"
import { DescribeLogDirs } from "../../protocol/message/35-describe-log-dirs.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { nested, Sliced, type Steps, Stride } from "../../wire/sliced.ts"
import type { PartitionTable } from "../partition/hosted/table.ts"
import type { Replica } from "../partition/replica/replica.ts"

type Request = RequestOf<typeof DescribeLogDirs>
type Result = ResponseDraft<typeof DescribeLogDirs>["results"][number]
/** The partitions that the request names; undefined for all. */
type Named = ReadonlyMap<string, ReadonlySet<number>> | undefined

interface DescribeLogDirsOptions {
  readonly table: PartitionTable
  readonly directories: ReadonlyArray<LogDirectory>
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

/** The partitions of a directory by topic, without those whose logs could not be opened, or were closed because of damage. */
function* topicsOf(table: PartitionTable, directory: LogDirectory, named: Named): Steps<Result["topics"]> {
  const stride = new Stride()
  const byTopic = new Map<string, Array<Replica>>()
  for (const { partition, topicId } of directory.logs()) {
    const replica = table.slot(topicId, partition)
    if (stride.takes()) yield
    if (replica === undefined || replica === "failed" || replica.isOffline || (named !== undefined && named.get(replica.topic)?.has(partition) !== true))
      continue
    const replicas = byTopic.get(replica.topic)
    if (replicas === undefined) byTopic.set(replica.topic, [replica])
    else replicas.push(replica)
  }
  return yield* nested(
    byTopic,
    ([, replicas]) => replicas.sort((a, b) => a.partition - b.partition),
    // The high watermark is the end of the log, and logs do not move between directories.
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

function* describe(table: PartitionTable, directory: LogDirectory, named: Named): Steps<Result> {
  if (directory.fault() !== undefined) return offline(directory.path)
  try {
    const space = directory.space()
    return {
      errorCode: 0,
      logDir: directory.path,
      topics: yield* topicsOf(table, directory, named),
      totalBytes: bytesOf(space?.totalBytes),
      usableBytes: bytesOf(space?.usableBytes)
    }
  } catch {
    return offline(directory.path)
  }
}

/**
 * DescribeLogDirs 1-5 (KIP-113, KIP-827): the data directories of this broker, the bytes of each volume, and the bytes of the segments of each partition that is
 * named (all for null). A partition that is not on this broker is left out. An offline directory has the error KAFKA_STORAGE_ERROR and no partitions.
 */
export const describeLogDirs = ({ directories, table }: DescribeLogDirsOptions): Route =>
  route(
    DescribeLogDirs,
    {},
    (request) =>
      new Sliced(function* () {
        const named = yield* namedOf(request)
        const results: Array<Result> = []
        for (const directory of directories) results.push(yield* describe(table, directory, named))
        return { errorCode: 0, results }
      })
  )
