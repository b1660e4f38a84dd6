/** The largest offset that fits an int32. */
export const int32Max = 0x7fff_ffff

/**
 * Throws a RangeError unless `at` and `end` are integers with 0 <= `at` <= `end` <= the length of `bytes`, a TypeError
 * unless that is a Uint8Array. Native code reads memory by these values and checks nothing itself. The conditions are
 * written so that NaN and undefined fail too.
 */
export const checkRange = (bytes: Uint8Array, at: number, end: number): void => {
  if (!(bytes instanceof Uint8Array)) throw new TypeError("A checksum needs a Uint8Array.")
  if (!(at >= 0 && at <= end && end <= bytes.length && Number.isInteger(at) && Number.isInteger(end)))
    throw new RangeError(`The range ${at} to ${end} is not within the ${bytes.length} bytes.`)
}
