/**
 * Splits a stream of bytes into lines, without their newlines. A line is a view of its chunk, or a copy where it spans
 * several. A line larger than `lineBytesMax` is reported, and not collected.
 */
export class LineSplitter {
  private parts: Array<Uint8Array> = []
  private partBytes = 0

  constructor(private readonly lineBytesMax: number) {}

  /** The lines that `chunk` completes; "too long" when one passes the bound. */
  push(chunk: Uint8Array): ReadonlyArray<Uint8Array> | "too long" {
    const lines: Array<Uint8Array> = []
    let at = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, at)) {
      if (this.partBytes + end - at > this.lineBytesMax) return "too long"
      lines.push(this.completed(chunk.subarray(at, end)))
      at = end + 1
    }
    if (at < chunk.length) {
      this.partBytes += chunk.length - at
      if (this.partBytes > this.lineBytesMax) return "too long"
      this.parts.push(chunk.subarray(at))
    }
    return lines
  }

  /** The bytes after the last newline; undefined where there are none. */
  rest(): Uint8Array | undefined {
    return this.partBytes === 0 ? undefined : this.completed(new Uint8Array(0))
  }

  private completed(last: Uint8Array): Uint8Array {
    if (this.partBytes === 0) return last
    const line = new Uint8Array(this.partBytes + last.length)
    let at = 0
    for (const part of this.parts) {
      line.set(part, at)
      at += part.length
    }
    line.set(last, at)
    this.parts = []
    this.partBytes = 0
    return line
  }
}
