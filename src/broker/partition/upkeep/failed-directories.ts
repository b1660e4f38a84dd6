import { Effect, type Scope } from "effect"
import type { LogDirectory } from "../../../ports/log-store.ts"
import { BrokerFault } from "../../fault.ts"

interface FailedDirectoriesOptions {
  readonly nodeId: number
  readonly directories: ReadonlyArray<LogDirectory>
  /** The partitions of a directory that is offline are let go of; whoever waits for one learns it. */
  readonly leaveOffline: () => void
  /** The broker cannot go on. */
  readonly stop: (fault: BrokerFault) => Effect.Effect<void>
}

/** Says which data directory failed, once; ends the broker with the last of them, as Kafka halts: it could only answer that it stores nothing. */
export const watchDirectories = ({ directories, leaveOffline, nodeId, stop }: FailedDirectoriesOptions): Effect.Effect<void, never, Scope.Scope> =>
  Effect.forEach(
    directories,
    (directory) =>
      Effect.forkScoped(
        Effect.flatMap(directory.failed, ({ message }) => {
          leaveOffline()
          if (directories.some((each) => each.fault() === undefined))
            return Effect.logError(`${message} Its partitions answer KAFKA_STORAGE_ERROR, the other directories go on.`)
          const all = directories.length === 1 ? "its data directory is offline" : `all its ${directories.length} data directories are offline`
          return stop(new BrokerFault({ kind: "storage", message: `Broker ${nodeId} stops: ${all}. ${message}` }))
        })
      ),
    { discard: true }
  )
