import { Either } from "effect"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import type { LogDirectory } from "../../ports/log-store.ts"
import { DescribeLogDirs } from "../../protocol/message/35-describe-log-dirs.ts"
import type { ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"

type Result = ResponseDraft<typeof DescribeLogDirs>["results"][number]

const described = (directory: LogDirectory): Result => {
  const offline = { errorCode: errorCode("KAFKA_STORAGE_ERROR"), logDir: directory.path, topics: [], totalBytes: -1n, usableBytes: -1n }
  if (directory.fault() !== undefined) return offline
  const space = Either.try(() => directory.space())
  if (Either.isLeft(space)) return offline
  return { ...offline, errorCode: 0, totalBytes: BigInt(space.right?.totalBytes ?? -1), usableBytes: BigInt(space.right?.usableBytes ?? -1) }
}

/** DescribeLogDirs 1-5 for a node that leads the cluster and is no broker: the directory of its journal, in which no topic lies. */
export const describeLogDirs = (directories: ReadonlyArray<LogDirectory>): Route =>
  route(DescribeLogDirs, {}, () => ({ errorCode: 0, results: directories.map(described) }))
