import { bug } from "../../domain/kernel/bug.ts"

/**
 * Bytes that are written in one turn of the event loop are sent in one call, since a call costs about 4 µs. Chunks up
 * to this size are copied together for that.
 */
const smallBytesMax = 16_384
/** From this size on bytes are sent before the end of the turn. Copying 64 KiB into warm memory costs about 3 µs. */
const gatherBytes = 65_536

/** The socket that an outbox writes to. An object and no callbacks: ten thousand idle connections keep what each has. */
export interface OutboxSocket {
  /**
   * Writes to the socket and returns how many of the bytes it took. Fewer than all: the socket is full, and its owner
   * calls `flush` when it takes bytes again. -1: the socket is closed.
   */
  readonly send: (bytes: Uint8Array) => number
  /** Called when everything has been sent after the socket was full. */
  readonly drained: () => void
}

/** Outboxes with bytes to send at the end of this turn of the event loop. */
const due: Array<Outbox> = []
const sendDue = (): void => {
  let at = 0
  try {
    for (; at < due.length; at++) (due[at] as Outbox).endOfTurn()
  } finally {
    // A bug in one must not hold back the bytes of the others.
    due.splice(0, at + 1)
    if (due.length > 0) queueMicrotask(sendDue)
  }
}

/** The bytes that one connection has to send, in order. */
export class Outbox {
  private chunks: Array<Uint8Array> = []
  private head = 0
  private bytes = 0
  private scheduled = false
  private stopped = false
  private gone = false
  /** Bytes that were written since the connection opened, and bytes of them that the socket has taken. */
  private written = 0
  private sent = 0
  /** Callbacks for when the socket has taken all bytes up to `end`, in order; undefined while there are none. */
  private watchers: Array<{ readonly end: number; readonly taken: () => void }> | undefined

  constructor(
    private readonly socket: OutboxSocket,
    /** Returns memory to copy small chunks into: fresh for each call, unless the sink has read it when it returns. */
    private readonly memory: (bytes: number) => Uint8Array
  ) {}

  get size(): number {
    return this.bytes
  }
  /** Stops sending until `flush`. */
  block(): void {
    this.stopped = true
  }

  /**
   * Takes ownership of the chunks. Returns how many bytes wait because the socket is full; bytes that only wait for the
   * end of the turn are not counted. `taken` is called when the socket has all of them, for sinks that have read a
   * piece when they return; never when the socket closes before.
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
    else if (taken !== undefined) (this.watchers ??= []).push({ end: this.written, taken })
    if (this.stopped) return this.bytes
    if (this.bytes >= gatherBytes) this.send()
    else if (!this.scheduled && this.bytes > 0) {
      this.scheduled = true
      if (due.push(this) === 1) queueMicrotask(sendDue)
    }
    return this.stopped ? this.bytes : 0
  }

  /** Sends what the socket takes: at the end of a turn, or when the socket takes bytes again. */
  flush(): void {
    const wasStopped = this.stopped
    this.stopped = false
    this.send()
    if (wasStopped && !this.stopped && this.bytes === 0 && !this.gone) this.socket.drained()
  }

  /** Drops unsent bytes: the socket is closed. */
  clear(): void {
    this.gone = true
    this.chunks = []
    this.head = 0
    this.bytes = 0
    this.watchers = undefined
  }

  /** Sends what was written in this turn. */
  endOfTurn(): void {
    this.scheduled = false
    if (!this.stopped) this.send()
  }

  private send(): void {
    while (this.bytes > 0 && !this.stopped && !this.gone) {
      const piece = this.nextPiece()
      const taken = this.socket.send(piece)
      if (taken < 0) return this.clear()
      if (taken > piece.length) bug(`a socket took ${taken} bytes of ${piece.length}`)
      if (taken < piece.length) this.stopped = true
      this.forget(taken)
    }
  }

  /** Returns the first chunk, or as many small chunks together as fit. */
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
      // A new array is cheaper than one that was long.
      if (this.head > 64) this.chunks = []
      else this.chunks.length = 0
      this.head = 0
    } else if (this.head >= 256) {
      this.chunks.splice(0, this.head)
      this.head = 0
    }
    if (this.watchers !== undefined) this.callWatchers(this.watchers)
  }

  private callWatchers(watchers: NonNullable<Outbox["watchers"]>): void {
    for (let first = watchers[0]; first !== undefined && first.end <= this.sent; first = watchers[0]) {
      watchers.shift()
      first.taken()
    }
  }
}

const scratch = new Uint8Array(gatherBytes)
/**
 * Returns memory that all connections share, warm in the processor's cache, for sinks that have read it when they
 * return.
 */
export const sharedMemory = (bytes: number): Uint8Array => scratch.subarray(0, bytes)
/** Returns new memory for each piece, for sinks that keep it. */
export const freshMemory = (bytes: number): Uint8Array => new Uint8Array(bytes)
