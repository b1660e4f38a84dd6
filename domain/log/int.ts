/** Big-endian integers in bytes, as Kafka writes them. The caller has checked that the bytes are there. */
export const readInt16 = (bytes: Uint8Array, at: number): number => (((bytes[at] as number) << 24) >> 16) | (bytes[at + 1] as number)

export const readInt32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)

export const readUint32 = (bytes: Uint8Array, at: number): number => readInt32(bytes, at) >>> 0

/** An int64 as a number. Outside of the safe integers it is rounded: `isSafeInt64` tells. */
export const readInt64 = (bytes: Uint8Array, at: number): number => readInt32(bytes, at) * 0x1_0000_0000 + readUint32(bytes, at + 4)

/**
 * Whether the int64 at `at` is a safe integer, from -(2^53 - 1) to 2^53 - 1. The number alone does not tell: 2^53 + 1
 * rounds down.
 */
export const isSafeInt64 = (bytes: Uint8Array, at: number): boolean => {
  const high = readInt32(bytes, at)
  return high >= -0x20_0000 && high < 0x20_0000 && (high !== -0x20_0000 || readInt32(bytes, at + 4) !== 0)
}

export const readBigInt64 = (bytes: Uint8Array, at: number): bigint => (BigInt(readInt32(bytes, at)) << 32n) | BigInt(readUint32(bytes, at + 4))

export const writeInt16 = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

export const writeInt32 = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** Writes a safe integer as an int64. */
export const writeInt64 = (bytes: Uint8Array, at: number, value: number): void => {
  writeInt32(bytes, at, Math.floor(value / 0x1_0000_0000))
  writeInt32(bytes, at + 4, value >>> 0)
}

export const writeBigInt64 = (bytes: Uint8Array, at: number, value: bigint): void => {
  writeInt32(bytes, at, Number(BigInt.asIntN(32, value >> 32n)))
  writeInt32(bytes, at + 4, Number(BigInt.asIntN(32, value)))
}
