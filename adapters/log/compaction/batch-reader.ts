import { Either } from "effect"
import { headerSize, RecordBatch, verify, viewHeader } from "../../../domain/log/batch.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import type { ChainEntry } from "../../../domain/log/header-chain.ts"
import { changedText, HeaderCheck } from "../../../domain/log/header-check.ts"
import type { Disk, DiskFile } from "../disk/disk.ts"
import { FileWindow } from "../disk/file-window.ts"
import { damaged } from "../segment/segment-files.ts"

/** Reads the batches of a segment one after the other, each checked, in memory that is used again: a view lasts until the next one is asked for. */
export class BatchReader {
  position = 0
  private readonly file: DiskFile
  private readonly check: HeaderCheck
  private readonly window: FileWindow

  /** Reads `bufferBytes` at a time, or a batch where one is larger. */
  constructor(
    disk: Disk,
    private readonly path: string,
    private readonly sizeInBytes: number,
    bufferBytes: number,
    private readonly crc32c: Crc32c,
    /** What the headers must be, where that is known: a flipped bit that no CRC covers would be copied, and called right from then on. */
    headers: ReadonlyArray<ChainEntry> = []
  ) {
    this.file = disk.open(path, "read")
    this.window = new FileWindow(this.file, sizeInBytes, bufferBytes)
    this.check = new HeaderCheck(headers)
  }

  /** The next batch, undefined after the last. Throws a LogFault "corrupt" where none stands, or one with a wrong CRC, and what the disk throws. */
  next(): RecordBatch | undefined {
    const { position, sizeInBytes } = this
    if (position >= sizeInBytes) return undefined
    const header = viewHeader(this.window.view(position, headerSize), 0)
    if (Either.isLeft(header)) throw damaged(this.path, position, header.left.reason)
    const size = header.right?.sizeInBytes ?? headerSize
    if (header.right === undefined || position + size > sizeInBytes) throw damaged(this.path, position, "no whole batch starts there")
    const batch = new RecordBatch(this.window.view(position, size))
    const wrong = batch.bytes.length < size ? "the file ends within it" : verify(batch, this.crc32c)?.reason
    if (wrong !== undefined) throw damaged(this.path, position, wrong)
    this.check.visit(batch, position)
    const [changed] = this.check.changed
    if (changed !== undefined) throw damaged(this.path, changed.flipped?.position ?? changed.from, changedText(changed))
    this.position += size
    return batch
  }

  /** Continues from another batch. */
  seek(position: number): void {
    this.position = position
  }

  close(): void {
    this.file.close()
  }
}
