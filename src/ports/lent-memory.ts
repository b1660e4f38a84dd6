/** What most consumers ask of a partition at a time (`max.partition.fetch.bytes`), bytes: every piece has this size, so that each fits the next read. */
export const pieceBytes = 1_048_576
/** Less than this does not borrow a piece: what waits for a slow reader would hold many times its size. */
const lentBytesMin = pieceBytes / 2
/** Pieces that wait for the next read; more are left to the garbage collector. */
const idleMax = 8

const out = new WeakSet<ArrayBufferLike>()
const idle: Array<ArrayBuffer> = []

/**
 * Memory for records that are read from a file and leave through one socket, with whatever was in it before; undefined for a size that no piece fits. Whoever sends it says when the socket has taken all of it, and the next read
 * finds pages that are there already and are still in the processor's cache. Who never says so costs a garbage collection, as all memory does. It stands for the
 * whole process: the reader of a log and the writer of a connection do not know each other.
 */
export const lend = (count: number): Uint8Array | undefined => {
  if (count < lentBytesMin || count > pieceBytes) return undefined
  const buffer = idle.pop() ?? new ArrayBuffer(pieceBytes)
  out.add(buffer)
  return new Uint8Array(buffer, 0, count)
}

/** Whether these bytes lie in memory that is to be given back. Small views are not looked at: what they lie in is left to the garbage collector. */
export const isLent = (bytes: Uint8Array): boolean => bytes.length >= lentBytesMin && out.has(bytes.buffer)

/** Nobody looks at these bytes any more, nor at anything else in the same memory. What was not lent, or was given back before, is left alone. */
export const giveBack = (bytes: Uint8Array): void => {
  const { buffer } = bytes
  if (out.delete(buffer) && buffer instanceof ArrayBuffer && idle.length < idleMax) idle.push(buffer)
}
