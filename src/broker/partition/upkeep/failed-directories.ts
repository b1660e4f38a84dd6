import { Effect, type Scope } from "effect"
import type { LogDirectory } from "../../../ports/log-store.ts"
import { BrokerFault } from "../../fault.ts"

interface FailedDirectoriesOptions {
  readonly nodeId: number
  readonly directories: ReadonlyArray<LogDirectory>
  /** Takes the partitions of offline directories offline, and wakes the requests that wait for them. */
  readonly leaveOffline: () => void
  /** Stops the broker. */
  readonly stop: (fault: BrokerFault) => Effect.Effect<void>
}

/**
 * Logs the failure of each data directory once. Stops the broker when the last directory fails, as Kafka does: without
 * a log directory the broker could only answer KAFKA_STORAGE_ERROR.
 */
export const watchDirectories = ({ directories, leaveOffline, nodeId, stop }: FailedDirectoriesOptions): Effect.Effect<void, never, Scope.Scope> =>
  Effect.forEach(
    directories,
    (directory) =>
      Effect.forkScoped(
        Effect.flatMap(directory.failed, ({ message }) => {
          leaveOffline()
          if (directories.some((each) => each.fault() === undefined))
            return Effect.logError(`${message} Its partitions answer KAFKA_STORAGE_ERROR; the broker still serves the other directories.`)
          const all = directories.length === 1 ? "its data directory is offline" : `all its ${directories.length} data directories are offline`
          return stop(new BrokerFault({ kind: "storage", message: `Broker ${nodeId} stops: ${all}. ${message}` }))
        })
      ),
    { discard: true }
  )
