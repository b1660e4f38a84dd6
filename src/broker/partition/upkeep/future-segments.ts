import type { SegmentExtent } from "../../../../domain/log/retention.ts"
import { logFileName } from "../../../../domain/log/segment.ts"

interface NamedPartition {
  readonly topic: string
  readonly partition: number
}

/** Lines of one look. */
const linesMax = 10
/** After this long a segment that still exists is named again, ms. */
const againMs = 24 * 3_600_000
/** The largest timestamp that has a date, ms. */
const dateMsMax = 8.64e15

interface Warned {
  readonly baseOffset: number
  readonly at: number
}

const when = (timestamp: number): string => (timestamp <= dateMsMax ? `${timestamp} (${new Date(timestamp).toISOString()})` : `${timestamp}`)

const line = ({ partition, topic }: NamedPartition, { baseOffset, maxTimestamp }: SegmentExtent, now: number): string =>
  `${topic}-${partition}: retention.ms does not delete segment ${logFileName(baseOffset)} nor those after it, since its largest timestamp, ${when(maxTimestamp)}, ` +
  `is ${Math.floor((maxTimestamp - now) / 1000)} s after the broker's clock. Correct the producer's clock, lower message.timestamp.after.max.ms of the topic so that such records ` +
  "are refused, and delete these ones with DeleteRecords (kafka-delete-records.sh) or retention.bytes."

/** Warns of segments that a timestamp from the future keeps from retention, as Kafka does: each once a day, ten lines in one look. */
export class FutureSegments {
  private readonly warned = new Map<NamedPartition, Warned>()

  constructor(private readonly warn: (line: string) => void) {}

  /** Looks at partitions that this broker leads. `heldByFuture` gives the segment of one that a timestamp after `now` (ms) keeps from retention. */
  look<P extends NamedPartition>(led: ReadonlyArray<P>, heldByFuture: (partition: P) => SegmentExtent | undefined, now: number): void {
    const here = new Set<NamedPartition>(led)
    for (const partition of this.warned.keys()) if (!here.has(partition)) this.warned.delete(partition)
    let lines = 0
    for (const partition of led) {
      const segment = heldByFuture(partition)
      const before = this.warned.get(partition)
      if (segment === undefined) this.warned.delete(partition)
      else if (before === undefined || before.baseOffset !== segment.baseOffset || now - before.at >= againMs) {
        this.warned.set(partition, { baseOffset: segment.baseOffset, at: now })
        if (lines++ < linesMax) this.warn(line(partition, segment, now))
      }
    }
    if (lines > linesMax) this.warn(`Timestamps after the broker's clock keep segments of ${lines - linesMax} more partitions from retention.`)
  }
}
