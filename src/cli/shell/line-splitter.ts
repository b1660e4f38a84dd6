/**
 * Cuts a stream of bytes into lines, without a look at what they say: a line is a view of the chunk that it came in, or one joined copy where it spans
 * several. The newline is no part of it. Bounded: a line that grows over `lineBytesMax` is reported, not gathered.
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

  /** What stands behind the last newline, if anything does. */
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
