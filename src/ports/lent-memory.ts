/**
 * What most consumers ask of a partition at a time (`max.partition.fetch.bytes`), bytes: every piece has this size, so
 * that each fits the next read.
 */
export const pieceBytes = 1_048_576
/**
 * A smaller read does not borrow a piece: while a slow reader holds it, the piece would be many times the size of its
 * bytes.
 */
const lentBytesMin = pieceBytes / 2
/** Pieces that wait for the next read; further ones are left to the garbage collector. */
const idleMax = 8

const out = new WeakSet<ArrayBufferLike>()
const idle: Array<ArrayBuffer> = []

/**
 * Returns memory for records that are read from a file and leave through one socket, with its former contents;
 * undefined for a size that no piece fits. The sender calls `returnLent` when the socket has taken all of it, and the
 * next read finds pages that are mapped and still in the processor's cache. A piece that is not returned costs a
 * garbage collection, as all memory does. The pool belongs to the process: the reader of a log and the writer of a
 * connection do not know each other.
 */
export const lend = (count: number): Uint8Array | undefined => {
  if (count < lentBytesMin || count > pieceBytes) return undefined
  const buffer = idle.pop() ?? new ArrayBuffer(pieceBytes)
  out.add(buffer)
  return new Uint8Array(buffer, 0, count)
}

/**
 * Whether these bytes are in lent memory. Small views are not looked at: their memory is left to the garbage collector.
 */
export const isLent = (bytes: Uint8Array): boolean => bytes.length >= lentBytesMin && out.has(bytes.buffer)

/**
 * Returns lent memory to the pool. The caller uses neither these bytes nor anything else in the same memory afterwards.
 * Other memory, and a second call, are ignored.
 */
export const returnLent = (bytes: Uint8Array): void => {
  const { buffer } = bytes
  if (out.delete(buffer) && buffer instanceof ArrayBuffer && idle.length < idleMax) idle.push(buffer)
}
