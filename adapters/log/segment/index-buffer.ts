import type { Offset } from "../../../domain/kernel/id.ts"
import { type OffsetEntry, offsetEntrySize, writeOffsetEntry } from "../../../domain/log/offset-index.ts"
import { type TimeEntry, timeEntrySize, writeTimeEntry } from "../../../domain/log/time-index.ts"
import { attempt, type Disk } from "../disk/disk.ts"

/** Entries that wait in memory before they are written: an index is a cache, and after a crash it is made again from the log. */
const unwrittenEntriesMax = 512
const firstEntries = 64

interface IndexKind<Entry> {
  readonly entrySize: number
  readonly write: (bytes: Uint8Array, slot: number, baseOffset: Offset, entry: Entry) => void
}
export const offsetIndex: IndexKind<OffsetEntry> = { entrySize: offsetEntrySize, write: writeOffsetEntry }
export const timeIndex: IndexKind<TimeEntry> = { entrySize: timeEntrySize, write: writeTimeEntry }

/** An index that grows, with its entries in memory and, up to the last few hundred, in its file. Bounded by `segment.index.bytes`, at which the segment rolls. */
export class IndexBuffer<Entry> {
  count: number
  /** Entries are the first `count` slots; what follows is spare. */
  bytes: Uint8Array
  private written: number
  /** The file holds the first `written` entries and nothing else. */
  private isExact: boolean

  /** `loaded` is what the file holds already, whole entries. */
  constructor(
    private readonly kind: IndexKind<Entry>,
    private readonly disk: Disk,
    private readonly path: string,
    private readonly baseOffset: Offset,
    loaded: Uint8Array = new Uint8Array(0)
  ) {
    this.bytes = loaded
    this.count = this.written = loaded.length / kind.entrySize
    this.isExact = loaded.length > 0
  }

  add(entry: Entry): void {
    const { entrySize, write } = this.kind
    if ((this.count + 1) * entrySize > this.bytes.length) {
      const larger = new Uint8Array(Math.max(firstEntries * entrySize, this.bytes.length * 2))
      larger.set(this.bytes)
      this.bytes = larger
    }
    write(this.bytes, this.count, this.baseOffset, entry)
    this.count++
    if (this.count - this.written > unwrittenEntriesMax) this.flush()
  }

  /** The file is gone: the next flush writes all entries. */
  fileIsGone(): void {
    this.written = 0
    this.isExact = false
  }

  /** Writes what is not in the file yet. A failure is no fault of the log: the entries stay in memory, and a later reader makes them again from the log. */
  flush(): void {
    const { entrySize } = this.kind
    if (this.isExact && this.written === this.count) return
    attempt(this.path, "write", () => {
      // After a crash every log writes its indexes again, and most have no entry yet: there is nothing to open.
      if (this.count === 0 && this.disk.size(this.path) === 0) {
        this.isExact = true
        return
      }
      const file = this.disk.open(this.path, "create")
      try {
        // A file that lost what was written to it gets all of it again.
        if (file.size() < this.written * entrySize) this.written = 0
        const at = this.written * entrySize
        // Whatever stands after the entries that are known is from a life before a crash.
        if (file.size() !== at) file.truncate(at)
        if (this.count > this.written) file.write([this.bytes.subarray(at, this.count * entrySize)], at)
        this.written = this.count
        this.isExact = true
      } finally {
        file.close()
      }
    })
  }
}
