import { Bug } from "../../../../domain/kernel/bug.ts"
import type { Offset } from "../../../../domain/kernel/id.ts"
import type { RecordBatch } from "../../../../domain/log/batch.ts"
import type { LogFault, PartitionLog } from "../../../ports/log-store.ts"

interface LogHealthOptions {
  /** The topic and the partition, for log lines. */
  readonly name: string
  readonly report: (line: string) => void
  /** Whether this broker leads the partition: only then a fault of an append or a read is reported. */
  readonly isLeading: () => boolean
  /** Whether other brokers have replicas of the partition. */
  readonly isReplicated: () => boolean
  /** Stops the broker, since an assertion failed. Throws. */
  readonly wrong: (what: string) => never
  /** Called once when the log goes offline: no record is read or appended from then on. */
  readonly wentOffline: (fault: LogFault) => void
}

/** Whether the log of a replica works, and what the operator was told of it. */
export class LogHealth {
  private fault: LogFault["reason"] | undefined
  private offline = false

  constructor(
    private readonly log: PartitionLog,
    private readonly options: LogHealthOptions
  ) {
    log.onDamage((fault) => {
      options.report(
        options.isReplicated()
          ? `${options.name} is offline on this broker: its log is damaged, and is set aside and copied again if another replica has its records. If none has, they are in this log alone: ${fault.message}`
          : `${options.name} is offline: Produce and Fetch get KAFKA_STORAGE_ERROR, other partitions are served. ${fault.message}`
      )
      this.goOffline(fault)
    })
  }

  /**
   * As the log's `append` and `read`. An assertion of the log that fails in a request stops the broker, as one of the
   * broker's own does: the server would close the connection, and serve the next one.
   */
  append(batch: RecordBatch): ReturnType<PartitionLog["append"]> {
    try {
      return this.log.append([batch])
    } catch (error) {
      return this.thrown(error)
    }
  }
  read(from: Offset, maxBytes: number, upTo: Offset): ReturnType<PartitionLog["read"]> {
    try {
      return this.log.read(from, maxBytes, upTo)
    } catch (error) {
      return this.thrown(error)
    }
  }
  private thrown(error: unknown): never {
    if (error instanceof Bug) this.options.wrong(`has a log whose assertion failed: ${error.message}`)
    throw error
  }

  /** Whether the log is closed until the operator repairs it: no record is read or appended, whichever broker leads. */
  get isOffline(): boolean {
    return this.offline
  }

  /** Marks the log offline if its directory is. The directory has reported why, so its partitions do not. */
  goOfflineWithDirectory(): void {
    // `refusal` and no read: a read would count as a reader near the end, for which the newest batches are cached.
    const fault = this.log.refusal()
    if (fault?.reason === "offline") this.goOffline(fault)
  }

  /** Notes a fault, reports it while this broker leads the partition (another caller may have closed the log otherwise), and returns it. */
  failed(fault: LogFault): LogFault {
    if (this.options.isLeading() && this.fault !== fault.reason) this.options.report(`${this.options.name}: ${fault.message}`)
    if (fault.reason === "offline") this.goOffline(fault)
    else this.fault = fault.reason
    return fault
  }

  /** The log has taken records. */
  worked(): void {
    if (this.fault === undefined) return
    this.fault = undefined
    this.options.report(`${this.options.name}: the log takes records again.`)
  }

  private goOffline(fault: LogFault): void {
    this.fault = fault.reason
    if (this.offline) return
    this.offline = true
    this.options.wentOffline(fault)
  }
}
