import { Effect } from "effect"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { DescribeLogDirs } from "../../protocol/message/35-describe-log-dirs.ts"
import { type Client, expectNone } from "../cluster/client.ts"
import type { CallError, NotAuthorized } from "../error.ts"

/** The log of a partition in a data directory. */
export interface LogDescription {
  readonly topic: string
  readonly partition: number
  /** Bytes of its segments. */
  readonly sizeInBytes: number
  /** It is a copy that replaces the log in another directory of the broker when it is whole (alterReplicaLogDirs). */
  readonly isFuture: boolean
  /** Records that it lacks: a copy those of the log, a log those below its high watermark. */
  readonly offsetLag: number
}
/** A data directory of a broker. */
export interface LogDirDescription {
  readonly broker: number
  readonly path: string
  /** "NONE", or "KAFKA_STORAGE_ERROR" for a directory that is offline, which has no other figures. */
  readonly error: string
  /** Bytes of its volume, and how many of them are free; undefined where the broker does not report them (KIP-827). */
  readonly totalBytes: number | undefined
  readonly usableBytes: number | undefined
  readonly logs: ReadonlyArray<LogDescription>
}

const known = (bytes: bigint): number | undefined => (bytes < 0n ? undefined : Number(bytes))

const describeBroker = (client: Client, broker: number): Effect.Effect<ReadonlyArray<LogDirDescription>, CallError | NotAuthorized> =>
  Effect.gen(function* () {
    const response = yield* client.callNode(broker, DescribeLogDirs, { topics: null })
    yield* expectNone(kafkaError(response.errorCode), `The data directories of broker ${broker}`)
    return response.results.map(({ errorCode, logDir, topics, totalBytes, usableBytes }) => ({
      broker,
      path: logDir,
      error: kafkaError(errorCode),
      totalBytes: known(totalBytes),
      usableBytes: known(usableBytes),
      logs: topics.flatMap(({ name, partitions }) =>
        partitions.map(({ isFutureKey, offsetLag, partitionIndex, partitionSize }) => ({
          topic: name,
          partition: partitionIndex,
          sizeInBytes: Number(partitionSize),
          isFuture: isFutureKey,
          offsetLag: Number(offsetLag)
        }))
      )
    }))
  })

/** Returns the data directories of all unfenced brokers, with their logs. */
export const describeLogDirs = (client: Client): Effect.Effect<ReadonlyArray<LogDirDescription>, CallError | NotAuthorized> =>
  client.persistently(
    Effect.gen(function* () {
      const { nodes } = yield* client.metadata.refresh([])
      const brokers = [...nodes.keys()].sort((a, b) => a - b)
      return (yield* Effect.forEach(brokers, (broker) => describeBroker(client, broker), { concurrency: 8 })).flat()
    })
  )
