import type { SegmentExtent } from "../../../../domain/log/retention.ts"
import { logFileName } from "../../../../domain/log/segment.ts"

/** A partition as far as it is looked at. */
interface Held {
  readonly topic: string
  readonly partition: number
  /** The segment that a timestamp after `now` (ms) keeps from retention. */
  heldByFuture(now: number): SegmentExtent | undefined
}

/** Lines of one look. */
const linesMax = 10
/** After this long a segment that is still there is named again. */
const againMs = 24 * 3_600_000
/** Times beyond it have no date. */
const dateMsMax = 8.64e15

interface Said {
  readonly baseOffset: number
  readonly at: number
}

const when = (timestamp: number): string => (timestamp <= dateMsMax ? `${timestamp} (${new Date(timestamp).toISOString()})` : `${timestamp}`)

const line = ({ partition, topic }: Held, { baseOffset, maxTimestamp }: SegmentExtent, now: number): string =>
  `${topic}-${partition}: retention.ms does not delete segment ${logFileName(baseOffset)} nor those after it, since its largest timestamp, ${when(maxTimestamp)}, ` +
  `is ${Math.floor((maxTimestamp - now) / 1000)} s after the broker's clock. Correct the producer's clock, lower message.timestamp.after.max.ms of the topic so that such records ` +
  "are refused, and remove these ones with DeleteRecords (kafka-delete-records.sh) or retention.bytes."

/** Warns of segments that a timestamp from the future keeps from retention, as Kafka does: each once a day, ten lines in one look. */
export class FutureSegments {
  private readonly said = new Map<Held, Said>()

  constructor(private readonly report: (line: string) => void) {}

  /** Looks at partitions that are led here. `now` in ms. */
  look(led: ReadonlyArray<Held>, now: number): void {
    const here = new Set(led)
    for (const owner of this.said.keys()) if (!here.has(owner)) this.said.delete(owner)
    let lines = 0
    for (const owner of led) {
      const segment = owner.heldByFuture(now)
      const before = this.said.get(owner)
      if (segment === undefined) this.said.delete(owner)
      else if (before === undefined || before.baseOffset !== segment.baseOffset || now - before.at >= againMs) {
        this.said.set(owner, { baseOffset: segment.baseOffset, at: now })
        if (lines++ < linesMax) this.report(line(owner, segment, now))
      }
    }
    if (lines > linesMax) this.report(`Timestamps after the broker's clock keep segments of ${lines - linesMax} more partitions from retention.`)
  }
}
