import type { Epoch, Offset } from "../../../../domain/kernel/id.ts"
import type { EpochStart } from "../../../../domain/log/epoch-checkpoint.ts"

/** The first offset of each leader epoch (KIP-101); both rise. Folded from the batches of the log, and from those that were deleted. */
export class EpochStarts {
  private readonly starts: Array<EpochStart>

  constructor(starts: ReadonlyArray<EpochStart> = []) {
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
    this.starts.splice(0, first)
    const [oldest] = this.starts
    if (oldest !== undefined) this.starts[0] = { epoch: oldest.epoch, offset }
  }

  /** The epochs that have batches in a log that ends at `end`. */
  startsBefore(end: Offset): ReadonlyArray<EpochStart> {
    return this.starts.filter(({ offset }) => offset < end)
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
