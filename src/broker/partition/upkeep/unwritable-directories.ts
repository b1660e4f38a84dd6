import { Effect } from "effect"
import type { LogDirectory, LogFault } from "../../../ports/log-store.ts"
import type { DisownedReplicas } from "../../disowned-replicas.ts"
import { keyOf, type TopicIdPartition } from "../topic-id-partition.ts"

interface UnwritableDirectoriesOptions {
  readonly directories: ReadonlyArray<LogDirectory>
  readonly disowned: DisownedReplicas["Type"]
  /** Tells the operator that a directory takes no records, or that it does again. */
  readonly report: (line: string) => void
}

/** How often a directory that takes no records is tried, ms. */
const writableCheckMs = 1000
/** Bytes that a directory must take before its replicas append again. */
const probeBytes = 1_048_576
/**
 * Bytes that must be free by then, and their share of a small volume: a replica that has little space would copy what it missed,
 * and stop again before it has all.
 */
const reserveBytes = 33_554_432
const reserveShare = 0.02

/** Whether records fit into the directory again. A probe that fails costs one write, and says nothing to the operator. */
const isWritable = (directory: LogDirectory): boolean => {
  try {
    const space = directory.space()
    if (space !== undefined && space.usableBytes < Math.min(reserveBytes, space.totalBytes * reserveShare)) return false
    return directory.takes(probeBytes)
  } catch {
    return false
  }
}

/**
 * The data directories that take no records: their disk is full, or mounted read-only. Their replicas do not fetch, and leave the
 * in-sync sets, so that other brokers lead and acks=all does not wait for them. They take part again when a probe finds space.
 *
 * A partition that no other replica can lead stays here: its appends are tried, and fail until there is space.
 */
export class UnwritableDirectories {
  /** The replicas in each of them. */
  private readonly found = new Map<LogDirectory, Map<string, TopicIdPartition>>()
  /** Open while there is one. */
  private readonly isOneFound = Effect.unsafeMakeLatch(false)

  constructor(private readonly options: UnwritableDirectoriesOptions) {}

  /** A replica has this fault. "full" or "read-only": nothing else fits into its directory either. */
  noted(replica: TopicIdPartition, { message, path, reason }: LogFault): void {
    if (reason !== "full" && reason !== "read-only") return
    const directory = this.directoryOf(path)
    if (directory === undefined || directory.fault() !== undefined) return
    const known = this.found.get(directory)
    if (known?.has(keyOf(replica)) === true) return
    const replicas = known ?? this.allIn(directory)
    this.found.set(directory, replicas)
    this.isOneFound.unsafeOpen()
    replicas.set(keyOf(replica), replica)
    this.options.disowned.cannotWrite(known === undefined ? replicas.values() : [replica])
    if (known !== undefined) return
    this.options.report(
      `The data directory ${directory.path} takes no records: other brokers lead its partitions where they have a replica in sync. Free space on its disk; the broker tries it every ${writableCheckMs / 1000} s, and takes part again by itself. ${message}`
    )
  }

  /** The replica's log is in another directory. */
  left(replica: TopicIdPartition): void {
    for (const replicas of this.found.values()) if (replicas.delete(keyOf(replica))) this.options.disowned.canWrite([replica])
  }

  /** Tries the directories every second while there is one, for as long as it runs. Calls `again` when one of them takes records again. */
  readonly watch = (again: () => void): Effect.Effect<never> => {
    const look = Effect.sync(() => (this.look() ? again() : undefined))
    return Effect.forever(Effect.zipRight(this.isOneFound.await, Effect.delay(look, writableCheckMs)))
  }

  private look(): boolean {
    const before = this.found.size
    for (const [directory, replicas] of this.found) {
      // A directory that is offline has other reports.
      if (directory.fault() === undefined && !isWritable(directory)) continue
      this.found.delete(directory)
      this.options.disowned.canWrite(replicas.values())
      if (directory.fault() === undefined) this.options.report(`The data directory ${directory.path} takes records again: its replicas copy what they missed.`)
    }
    if (this.found.size === 0) this.isOneFound.unsafeClose()
    return this.found.size < before
  }

  private directoryOf(path: string): LogDirectory | undefined {
    const holding = this.options.directories.filter((each) => path === each.path || path.startsWith(`${each.path}/`))
    return holding.sort((one, other) => other.path.length - one.path.length)[0]
  }

  private allIn(directory: LogDirectory): Map<string, TopicIdPartition> {
    try {
      return new Map(directory.logs().map((each) => [keyOf(each), each]))
    } catch {
      return new Map()
    }
  }
}
