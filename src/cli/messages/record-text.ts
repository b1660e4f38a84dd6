import type { ConsumedRecord } from "../../client/consumer/fetch/record.ts"
import { recordJson } from "./json-record.ts"

const newline = 10

/** Messages as lines of JSON. */
export const jsonLines = (records: ReadonlyArray<ConsumedRecord>): Uint8Array => Buffer.from(records.map((record) => `${recordJson(record)}\n`).join(""))

interface PlainOptions {
  /** Separates key and value. Without it keys are not printed. */
  readonly separator?: Uint8Array | undefined
  /** Replaces a null key or value. Default: nothing. */
  readonly nullText?: Uint8Array | undefined
}

/** Messages as lines, byte for byte, each after its key and the separator if there is one. All of them in one buffer. */
export const plainLines = (records: ReadonlyArray<ConsumedRecord>, { nullText, separator }: PlainOptions = {}): Uint8Array => {
  const nullBytes = nullText?.length ?? 0
  let size = 0
  for (const { key, value } of records) size += (value?.length ?? nullBytes) + 1 + (separator === undefined ? 0 : (key?.length ?? nullBytes) + separator.length)
  const lines = new Uint8Array(size)
  let at = 0
  const put = (bytes: Uint8Array | null | undefined) => {
    if (bytes === null || bytes === undefined) return
    lines.set(bytes, at)
    at += bytes.length
  }
  for (const { key, value } of records) {
    if (separator !== undefined) {
      put(key ?? nullText)
      put(separator)
    }
    put(value ?? nullText)
    lines[at++] = newline
  }
  return lines
}
