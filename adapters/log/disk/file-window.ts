import type { ReadableFile } from "./disk.ts"

/** Reads a file on from where it is asked, in pieces that hold whole batches. The memory is used again for every piece: a view lasts until the next one is asked for. */
export class FileWindow {
  private memory = new Uint8Array(0)
  private filled = 0
  private at = 0

  /** The first `sizeInBytes` of `file`, `chunkBytes` at a time, or more where a view is larger. */
  constructor(
    private readonly file: ReadableFile,
    private readonly sizeInBytes: number,
    private readonly chunkBytes: number
  ) {}

  /** `count` bytes at `position`, fewer where the file ends before. */
  view(position: number, count: number): Uint8Array {
    if (position < this.at || position + count > this.at + this.filled) {
      const want = Math.min(Math.max(count, this.chunkBytes), this.sizeInBytes - position)
      // A large batch gets memory for itself alone; the next piece is small again.
      if (this.memory.length < want || this.memory.length > Math.max(want, this.chunkBytes)) this.memory = new Uint8Array(want)
      this.filled = this.file.read(this.memory.subarray(0, want), position)
      this.at = position
    }
    const start = position - this.at
    return this.memory.subarray(start, Math.min(start + count, this.filled))
  }
}
