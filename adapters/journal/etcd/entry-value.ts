import { Either, Option } from "effect"
import { readInt32, writeInt32 } from "../../../domain/log/int.ts"

/** Bytes of an append that one key holds. etcd takes requests of 1.5 MiB at most. */
export const partBytesMax = 1_000_000
const headerBytes = 8

/** An append as etcd stores it: the value of its own key, and the parts before it where it is too large for one. */
export interface StoredAppend {
  readonly parts: ReadonlyArray<Uint8Array>
  /** The number of parts before it and the epoch, as int32 each, then the last part of the batch. */
  readonly value: Uint8Array
}

/** Splits the batch of an append. */
export const storedAppend = (batch: Uint8Array, epoch: number): StoredAppend => {
  const before = Math.max(0, Math.ceil(batch.length / partBytesMax) - 1)
  const last = batch.subarray(before * partBytesMax)
  const value = new Uint8Array(headerBytes + last.length)
  writeInt32(value, 0, before)
  writeInt32(value, 4, epoch)
  value.set(last, headerBytes)
  return { parts: Array.from({ length: before }, (_, part) => batch.subarray(part * partBytesMax, (part + 1) * partBytesMax)), value }
}

/** The header of an append's value: how many parts come before it, and the epoch under which it was appended. */
export const headerOf = (value: Uint8Array): Option.Option<{ readonly parts: number; readonly epoch: number }> =>
  value.length < headerBytes ? Option.none() : Option.some({ parts: readInt32(value, 0), epoch: readInt32(value, 4) })

/** Joins the parts and the value of an append to its batch. Left where parts are missing. */
export const batchOf = (value: Uint8Array, parts: ReadonlyArray<Uint8Array>): Either.Either<Uint8Array, string> =>
  Option.match(headerOf(value), {
    onNone: () => Either.left(`its value has ${value.length} bytes, ${headerBytes} at least are expected`),
    onSome: (header) => {
      if (header.parts !== parts.length) return Either.left(`${header.parts} parts come before it, and ${parts.length} are there`)
      const last = value.subarray(headerBytes)
      if (parts.length === 0) return Either.right(last)
      const batch = new Uint8Array(parts.reduce((sum, part) => sum + part.length, last.length))
      let at = 0
      for (const part of [...parts, last]) {
        batch.set(part, at)
        at += part.length
      }
      return Either.right(batch)
    }
  })

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, at) => byte === b[at])
