/** What is written in one turn of the loop leaves in one call: a call costs about 4 µs however little it carries. Pieces up to this size are copied together for that. */
const smallBytesMax = 16_384
/** More than this does not wait for the end of the turn. Copying 64 KiB into warm memory costs about 3 µs. */
const gatherBytes = 65_536

/**
 * Where an outbox empties into: a socket. It answers how many of the bytes it took; fewer than all means that it is full and will call `flush` when it is not.
 * -1 is a socket that is gone.
 */
export type Sink = (bytes: Uint8Array) => number

/** The bytes that one connection has still to send, in order. */
export class Outbox {
  private chunks: Array<Uint8Array> = []
  private head = 0
  private bytes = 0
  private scheduled = false
  private stopped = false
  private gone = false
  /** Bytes that were ever taken over, and those of them that the socket has. */
  private written = 0
  private sent = 0
  /** Who wants to know when the socket has all of what they wrote, in order. */
  private readonly watchers: Array<{ readonly end: number; readonly taken: () => void }> = []

  constructor(
    private readonly sink: Sink,
    /** Called when the socket was full and everything has been sent since. */
    private readonly drained: () => void,
    /** Memory to copy small pieces into. The sink has read it when it returns, or it must be fresh for each call. */
    private readonly memory: (bytes: number) => Uint8Array
  ) {}

  get size(): number {
    return this.bytes
  }
  /** The socket takes no more until it says so. */
  block(): void {
    this.stopped = true
  }

  /**
   * Takes the chunks over. Answers how many bytes wait because the socket is full; what only waits for the end of the turn is not counted.
   * `taken` is called when the socket has all of them, for sinks that have read a piece when they return; never when the socket is gone before.
   */
  write(chunks: ReadonlyArray<Uint8Array>, taken?: () => void): number {
    if (this.gone) return 0
    for (const chunk of chunks) {
      if (chunk.length === 0) continue
      this.chunks.push(chunk)
      this.bytes += chunk.length
      this.written += chunk.length
    }
    if (this.written === this.sent) taken?.()
    else if (taken !== undefined) this.watchers.push({ end: this.written, taken })
    if (this.stopped) return this.bytes
    if (this.bytes >= gatherBytes) this.send()
    else if (!this.scheduled && this.bytes > 0) {
      this.scheduled = true
      queueMicrotask(this.endOfTurn)
    }
    return this.stopped ? this.bytes : 0
  }

  /** Sends what it can now: at the end of a turn, or when the socket takes bytes again. */
  flush(): void {
    const wasStopped = this.stopped
    this.stopped = false
    this.send()
    if (wasStopped && !this.stopped && this.bytes === 0 && !this.gone) this.drained()
  }

  /** Forgets what was not sent: the socket is gone. */
  clear(): void {
    this.gone = true
    this.chunks = []
    this.head = 0
    this.bytes = 0
    this.watchers.length = 0
  }

  private readonly endOfTurn = (): void => {
    this.scheduled = false
    if (!this.stopped) this.send()
  }

  private send(): void {
    while (this.bytes > 0 && !this.stopped && !this.gone) {
      const piece = this.nextPiece()
      const taken = this.sink(piece)
      if (taken < 0) return this.clear()
      if (taken < piece.length) this.stopped = true
      this.forget(taken)
    }
  }

  /** The first chunk, or as many small ones together as fit. */
  private nextPiece(): Uint8Array {
    const first = this.chunks[this.head] as Uint8Array
    const second = this.chunks[this.head + 1]
    if (second === undefined || first.length > smallBytesMax || first.length + second.length > gatherBytes) return first
    let size = 0
    let last = this.head
    for (; last < this.chunks.length; last++) {
      const { length } = this.chunks[last] as Uint8Array
      if (length > smallBytesMax || size + length > gatherBytes) break
      size += length
    }
    if (last === this.head + 1) return first
    const piece = this.memory(size)
    let at = 0
    for (let i = this.head; i < last; i++) {
      const chunk = this.chunks[i] as Uint8Array
      piece.set(chunk, at)
      at += chunk.length
    }
    return piece
  }

  private forget(sent: number): void {
    this.bytes -= sent
    this.sent += sent
    let left = sent
    while (left > 0) {
      const chunk = this.chunks[this.head] as Uint8Array
      if (left < chunk.length) {
        this.chunks[this.head] = chunk.subarray(left)
        break
      }
      left -= chunk.length
      this.head++
    }
    if (this.head === this.chunks.length) {
      // A fresh list is cheaper than one that once was long.
      if (this.head > 64) this.chunks = []
      else this.chunks.length = 0
      this.head = 0
    } else if (this.head >= 256) {
      this.chunks.splice(0, this.head)
      this.head = 0
    }
    for (let first = this.watchers[0]; first !== undefined && first.end <= this.sent; first = this.watchers[0]) {
      this.watchers.shift()
      first.taken()
    }
  }
}

const scratch = new Uint8Array(gatherBytes)
/** One piece of warm memory for all connections, for sinks that have read it when they return. */
export const sharedMemory = (bytes: number): Uint8Array => scratch.subarray(0, bytes)
/** New memory for each piece, for sinks that keep it. */
export const freshMemory = (bytes: number): Uint8Array => new Uint8Array(bytes)
