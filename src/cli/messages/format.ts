import { Either } from "effect"
import type { ConsumedRecord } from "../../client/consumer/fetch/record.ts"

type Write = (record: ConsumedRecord) => Uint8Array | string

const utf8 = new TextEncoder()
const int32 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setInt32(0, value)
  return bytes
}
const lengthOf = (bytes: Uint8Array | null): number => bytes?.length ?? -1

const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "0": "\0", "\\": "\\" }

/** kcat's tokens. `nullText` is printed for a null key or value. */
const tokens = (nullText: string): Readonly<Record<string, Write>> => ({
  s: ({ value }) => value ?? nullText,
  S: ({ value }) => String(lengthOf(value)),
  R: ({ value }) => int32(lengthOf(value)),
  k: ({ key }) => key ?? nullText,
  K: ({ key }) => String(lengthOf(key)),
  t: ({ topic }) => topic,
  p: ({ partition }) => String(partition),
  o: ({ offset }) => String(offset),
  T: ({ timestamp }) => String(timestamp),
  h: ({ headers }) => Buffer.concat(headers.flatMap(({ key, value }, at) => [utf8.encode(`${at === 0 ? "" : ","}${key}=`), value ?? utf8.encode("NULL")])),
  "%": () => "%"
})

/** One token, one escape, or the text up to the next. */
const part = /%([\s\S]?)|\\x([0-9a-fA-F]{2})|\\([\s\S]?)|[^%\\]+/gu

/** Reads a format of kcat's `-f`. Returns what writes a message by it, or what is wrong with the format. */
export const formatOf = (format: string, nullText: string): Either.Either<(records: ReadonlyArray<ConsumedRecord>) => Uint8Array, string> => {
  const known = tokens(nullText)
  const writes: Array<Write> = []
  for (const [text, token, hexadecimal, escaped] of format.matchAll(part)) {
    if (hexadecimal !== undefined) {
      const byte = Uint8Array.of(Number.parseInt(hexadecimal, 16))
      writes.push(() => byte)
      continue
    }
    if (escaped !== undefined) {
      const character = escapes[escaped]
      if (character === undefined) return Either.left(`there is no escape '${text}'; expected \\n, \\r, \\t, \\0, \\\\ or \\xHH.`)
      writes.push(() => character)
      continue
    }
    const write = token === undefined ? () => text : Object.hasOwn(known, token) ? known[token] : undefined
    if (write === undefined)
      return Either.left(
        `there is no token '${text}'; expected ${Object.keys(known)
          .map((one) => `%${one}`)
          .join(" ")}.`
      )
    writes.push(write)
  }
  return Either.right((records) =>
    Buffer.concat(
      records.flatMap((record) =>
        writes.map((write) => {
          const written = write(record)
          return typeof written === "string" ? utf8.encode(written) : written
        })
      )
    )
  )
}
