import type { Epoch, Offset } from "../../../../domain/kernel/id.ts"
import type { EpochStart } from "../../../../domain/log/epoch-checkpoint.ts"

/** Which leader epoch began at which offset (KIP-101): rising in both. A fold of the batches of the log, and of those that were there. */
export class EpochStarts {
  private readonly starts: Array<EpochStart>

  constructor(starts: ReadonlyArray<EpochStart> = []) {
    this.starts = [...starts]
  }

  /** Notes a batch, or the beginning of a leadership: nothing changes unless the epoch is new. An epoch that got no records gives way to the one after it. */
  note(epoch: Epoch, offset: Offset): void {
    const last = this.starts[this.starts.length - 1]
    if (last !== undefined && epoch <= last.epoch) return
    if (last !== undefined && last.offset >= offset) this.starts.pop()
    this.starts.push({ epoch, offset })
  }

  /** The log starts at `offset` now: epochs that ended before it are forgotten, the one that holds it begins there (as in Kafka). */
  forgetBefore(offset: Offset): void {
    const first = this.starts.findLastIndex((start) => start.offset <= offset)
    if (first < 0) return
    this.starts.splice(0, first)
    const [oldest] = this.starts
    if (oldest !== undefined) this.starts[0] = { epoch: oldest.epoch, offset }
  }

  /** Those that have batches in a log that ends at `end`. */
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
   * Where `epoch` ended: the largest epoch that is not above it, and the offset at which a later one began, or `end` for the newest.
   * Undefined for an epoch that this log has not seen yet (Kafka answers -1 and -1 then).
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
