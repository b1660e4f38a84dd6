import { Either } from "effect"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import type { LogDirectory } from "../../ports/log-store.ts"
import { DescribeLogDirs } from "../../protocol/message/35-describe-log-dirs.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import type { PartitionOwner } from "../partition/owner.ts"
import type { PartitionTable } from "../partition/table.ts"

type Request = RequestOf<typeof DescribeLogDirs>
type Result = ResponseDraft<typeof DescribeLogDirs>["results"][number]
type Wanted = ReadonlyMap<string, ReadonlySet<number>> | undefined

export interface DescribeLogDirsOptions {
  readonly table: PartitionTable
  readonly directories: ReadonlyArray<LogDirectory>
}

const unknownBytes = -1n
const bytesOf = (bytes: number | undefined): bigint => (bytes === undefined ? unknownBytes : BigInt(bytes))

const wantedOf = ({ topics }: Request): Wanted => (topics === null ? undefined : new Map(topics.map(({ partitions, topic }) => [topic, new Set(partitions)])))

/** The partitions of a directory that serve, by topic; one whose log could not be opened has no size. */
const topicsOf = (table: PartitionTable, directory: LogDirectory, wanted: Wanted): Result["topics"] => {
  const byTopic = new Map<string, Array<PartitionOwner>>()
  for (const { partition, topicId } of directory.logs()) {
    const owner = table.slot(topicId, partition)
    if (owner === undefined || owner === "failed" || (wanted !== undefined && wanted.get(owner.topic)?.has(partition) !== true)) continue
    const owners = byTopic.get(owner.topic)
    if (owners === undefined) byTopic.set(owner.topic, [owner])
    else owners.push(owner)
  }
  return [...byTopic].map(([name, owners]) => ({
    name,
    partitions: owners
      .sort((a, b) => a.partition - b.partition)
      // The high watermark is the end of the log, and no log is on its way to another directory.
      .map(({ partition, sizeInBytes }) => ({ partitionIndex: partition, partitionSize: BigInt(sizeInBytes), offsetLag: 0n, isFutureKey: false }))
  }))
}

const offline = (logDir: string): Result => ({
  errorCode: errorCode("KAFKA_STORAGE_ERROR"),
  logDir,
  topics: [],
  totalBytes: unknownBytes,
  usableBytes: unknownBytes
})

const describe = (table: PartitionTable, directory: LogDirectory, wanted: Wanted): Result => {
  if (directory.fault() !== undefined) return offline(directory.path)
  const described = Either.try((): Result => {
    const space = directory.space()
    return {
      errorCode: 0,
      logDir: directory.path,
      topics: topicsOf(table, directory, wanted),
      totalBytes: bytesOf(space?.totalBytes),
      usableBytes: bytesOf(space?.usableBytes)
    }
  })
  return Either.getOrElse(described, () => offline(directory.path))
}

/**
 * DescribeLogDirs 1-5 (KIP-113, KIP-827): the data directories of this broker, the bytes of each volume, and the bytes of the segments of each partition that is
 * asked for (all of them for null). A partition that is not here is left out. A directory that is offline has the error KAFKA_STORAGE_ERROR and nothing else.
 */
export const describeLogDirs = ({ directories, table }: DescribeLogDirsOptions): Route =>
  route(DescribeLogDirs, {}, (request) => {
    const wanted = wantedOf(request)
    return { throttleTimeMs: 0, errorCode: 0, results: directories.map((directory) => describe(table, directory, wanted)) }
  })
