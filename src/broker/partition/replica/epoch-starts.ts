import type { Epoch, Offset } from "../../../../domain/kernel/id.ts"
import type { EpochStart } from "../../../../domain/log/epoch-checkpoint.ts"

/** The first offset of each leader epoch (KIP-101); both rise. Folded from the batches of the log, and from those that were deleted. */
export class EpochStarts {
  private readonly starts: Array<EpochStart>

  /** `deleted`: the epoch of the last record before the start of the log, which is gone; undefined where it is not known. */
  constructor(
    starts: ReadonlyArray<EpochStart> = [],
    private deleted: Epoch | undefined = undefined
  ) {
    this.starts = [...starts]
  }

  /** Notes a batch, or the beginning of a leadership. Only a new epoch changes anything; it replaces an epoch before it that has no records. */
  note(epoch: Epoch, offset: Offset): void {
    const last = this.starts[this.starts.length - 1]
    if (last !== undefined && epoch <= last.epoch) return
    if (last !== undefined && last.offset >= offset) this.starts.pop()
    this.starts.push({ epoch, offset })
  }

  /** Forgets the epochs that ended before `offset`, where the log starts; the epoch of `offset` starts there, as in Kafka. */
  forgetBefore(offset: Offset): void {
    const first = this.starts.findLastIndex((start) => start.offset <= offset)
    if (first < 0) return
    this.deleted = this.at(offset - 1) ?? this.deleted
    this.starts.splice(0, first)
    const [oldest] = this.starts
    if (oldest !== undefined) this.starts[0] = { epoch: oldest.epoch, offset }
  }

  /** The epochs that have batches in a log that ends at `end`. */
  startsBefore(end: Offset): ReadonlyArray<EpochStart> {
    return this.starts.filter(({ offset }) => offset < end)
  }
  /** The same; where all of them are deleted, the epoch of the last record, at `end`, as Kafka keeps it. */
  kept(end: Offset): ReadonlyArray<EpochStart> {
    return this.emptiedAt(end, end)
  }
  /**
   * The same to find where the log leaves that of its leader. Where an epoch began whose records are all deleted is not known:
   * a leader without that epoch may have other records anywhere before `end`, and all of its log is copied.
   */
  compared(end: Offset): ReadonlyArray<EpochStart> {
    return this.emptiedAt(end, 0)
  }
  private emptiedAt(end: Offset, offset: Offset): ReadonlyArray<EpochStart> {
    const starts = this.startsBefore(end)
    return starts.length === 0 && this.deleted !== undefined ? [{ epoch: this.deleted, offset }] : starts
  }
  /** The epoch of the last record before `end`, also of one that is deleted; undefined where there was none, or it is not known. */
  lastBefore(end: Offset): Epoch | undefined {
    return this.at(end - 1) ?? this.deleted
  }
  /** Without the epochs that have no records before `end`. */
  withoutEmpty(end: Offset): EpochStarts {
    return new EpochStarts(this.kept(end), this.deleted)
  }

  get latest(): Epoch | undefined {
    return this.starts[this.starts.length - 1]?.epoch
  }

  /** The epoch of the record at `offset`; undefined before the first. */
  at(offset: Offset): Epoch | undefined {
    return this.starts.findLast((start) => start.offset <= offset)?.epoch
  }

  /**
   * The end of `epoch`: the largest epoch that is not above it, and the offset at which a later one began, or `end` for the newest.
   * Undefined for an epoch newer than those of this log (Kafka answers -1 and -1 then).
   */
  endOf(epoch: Epoch, end: Offset): { readonly epoch: Epoch; readonly endOffset: Offset } | undefined {
    const latest = this.latest
    if (latest === undefined || epoch < 0 || epoch > latest) return undefined
    if (epoch === latest) return { epoch, endOffset: end }
    const above = this.starts.find((start) => start.epoch > epoch)
    const below = this.starts.findLast((start) => start.epoch <= epoch)
    return above === undefined ? undefined : { epoch: below?.epoch ?? epoch, endOffset: above.offset }
  }
}
