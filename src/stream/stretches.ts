import { type Context, Either } from "effect"
import { type RecordBatch, readableBatches } from "../../domain/log/batch.ts"
import type { Journal } from "../ports/journal.ts"
import { LogFault } from "../ports/log-store.ts"

/** A run of whole batches of a stream. */
interface Stretch {
  /** The index of its first entry. */
  readonly from: number
  /** The index after its last entry. */
  readonly end: number
  readonly bytes: number
  /** The largest time of its entries, ms since 1970. */
  readonly maxTimestamp: number
}

const damaged = (stream: string, reason: string): LogFault =>
  new LogFault({ path: stream, reason: "corrupt", message: `${stream}: the journal holds bytes that are no record batch: ${reason}` })

/** A stream in stretches of about `stepBytes`: its sizes and times, without an entry of it in memory. It grows as it is asked. */
export class JournalStretches {
  private list: Array<Stretch> = []
  private next: number

  constructor(
    private readonly journal: Context.Tag.Service<typeof Journal>,
    private readonly stream: string,
    start: number,
    private readonly stepBytes: number
  ) {
    this.next = start
  }

  /** Those that are full, in order; the last one of the stream, which still grows, is not among them. */
  get full(): ReadonlyArray<Stretch> {
    return this.list
  }
  /** The index after the last full one. */
  get end(): number {
    return this.next
  }

  /** Returns the batches from the one that holds `from` on, about `stepBytes` of them. */
  batchesAt(from: number): Either.Either<ReadonlyArray<RecordBatch>, LogFault> {
    return Either.flatMap(this.journal.batches(this.stream, from, this.stepBytes), (views) =>
      Either.all(views.map((view) => Either.mapLeft(readableBatches(view), ({ reason }) => damaged(this.stream, reason)))).pipe(
        Either.map((lists) => lists.flat())
      )
    )
  }

  /** Notes the next stretch if it is full, up to `end`. Returns whether there may be another. */
  step(end: number): Either.Either<boolean, LogFault> {
    if (this.next >= end) return Either.right(false)
    return Either.map(this.batchesAt(this.next), (batches) => {
      const bytes = batches.reduce((sum, batch) => sum + batch.bytes.length, 0)
      const last = batches.at(-1)
      if (last === undefined || bytes < this.stepBytes / 2) return false
      const maxTimestamp = batches.reduce((max, batch) => Math.max(max, batch.maxTimestamp), -1)
      this.list.push({ from: this.next, end: last.nextOffset, bytes, maxTimestamp })
      this.next = last.nextOffset
      return true
    })
  }

  /** Forgets what was trimmed: the entries before `start`. */
  dropBefore(start: number): void {
    if ((this.list[0]?.end ?? Number.POSITIVE_INFINITY) <= start) this.list = this.list.filter(({ end }) => end > start)
    this.next = Math.max(this.next, start)
  }
}
