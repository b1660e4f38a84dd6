import { createHash } from "node:crypto"
import { closeSync, fstatSync, fsyncSync, linkSync, openSync, readSync, unlinkSync, writeSync } from "node:fs"
import { dirname } from "node:path"
import { Effect, type Scope } from "effect"
import type { Crc32c } from "../../domain/log/crc32c.ts"
import { readInt32, writeInt32 } from "../../domain/log/int.ts"
import { LogFault } from "../../src/ports/log-store.ts"
import { digestOf, eachBatches, type StreamDigest, type StreamImage } from "./stream-image.ts"
import { partitionOfStream } from "./stream-partition.ts"

/**
 * A journal in one file: the magic, then frames. A frame is the length of its payload and the payload's CRC-32C, an int32 each, then the payload: one
 * letter that names its kind, then its bytes. Each stream is a header (JSON), the pieces of its snapshot, runs of its
 * batches, and its digest (JSON). The last frame counts the streams: a file without it was cut off.
 */
const magic = new TextEncoder().encode("FRANZJN1")
const kinds = { stream: "S", snapshot: "P", batches: "B", digest: "D", end: "E" } as const
type Kind = (typeof kinds)[keyof typeof kinds]

const frameHeaderBytes = 8
const payloadBytesMax = 268_435_456
const pieceBytes = 1_048_576

interface StreamHeader {
  readonly stream: string
  readonly start: number
  readonly end: number
  readonly epoch: number
  /** The snapshot's index and bytes. */
  readonly snapshot: { readonly index: number; readonly bytes: number } | null
}
/** A stream in the file: where its frames are. */
interface Indexed {
  readonly header: StreamHeader
  readonly pieces: Array<number>
  /** The positions of its runs by their first index, in order. */
  readonly runs: Map<number, number>
  digest: StreamDigest | undefined
}

const text = new TextDecoder()
const utf8 = new TextEncoder()
const json = (value: unknown): Uint8Array => utf8.encode(JSON.stringify(value))

const fault = (path: string, reason: LogFault["reason"], message: string, cause?: unknown): LogFault => new LogFault({ path, reason, message, cause })
const attempt = <A>(path: string, work: () => A): Effect.Effect<A, LogFault> =>
  Effect.try({
    try: work,
    catch: (cause) => {
      const { code } = cause as { readonly code?: string }
      return fault(path, code === "ENOSPC" ? "full" : "io", `${path}: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
    }
  })

/** A file that is open until the scope closes. */
const opened = (path: string, flags: string): Effect.Effect<number, LogFault, Scope.Scope> =>
  Effect.acquireRelease(
    attempt(path, () => openSync(path, flags, 0o600)),
    (file) => Effect.sync(() => closeSync(file))
  )

/** Reads up to `length` bytes at a position: fewer at the end of the file. */
const bytesAt = (file: number, at: number, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  let read = 0
  while (read < length) {
    const count = readSync(file, bytes, read, length - read, at + read)
    if (count === 0) break
    read += count
  }
  return bytes.subarray(0, read)
}

/** The streams of an export, by frames that were read and whose checksums are right. */
class ExportIndex {
  readonly streams = new Map<string, Indexed>()
  private last: Indexed | undefined

  constructor(private readonly parts: { readonly path: string; readonly file: number; readonly crc32c: Crc32c }) {}

  note(kind: Kind, at: number, body: Uint8Array): void {
    if (kind === kinds.stream) {
      const header = JSON.parse(text.decode(body)) as StreamHeader
      this.streams.set(header.stream, (this.last = { header, pieces: [], runs: new Map(), digest: undefined }))
    } else if (kind === kinds.snapshot) this.last?.pieces.push(at)
    // A batch begins with its base offset.
    else if (kind === kinds.batches) this.last?.runs.set(Number(new DataView(body.buffer, body.byteOffset).getBigInt64(0)), at)
    else if (kind === kinds.digest && this.last !== undefined) this.last.digest = JSON.parse(text.decode(body)) as StreamDigest
  }

  /** The kind and the bytes of the frame at a position; undefined where the file has no whole and intact frame there. */
  frame(at: number): { readonly kind: Kind; readonly body: Uint8Array; readonly next: number } | undefined {
    const { crc32c, file } = this.parts
    const head = bytesAt(file, at, frameHeaderBytes)
    const length = head.length < frameHeaderBytes ? 0 : readInt32(head, 0)
    if (length < 1 || length > payloadBytesMax || at + frameHeaderBytes + length > fstatSync(file).size) return undefined
    const payload = bytesAt(file, at + frameHeaderBytes, length)
    if (payload.length < length || (crc32c(payload, 0, length) | 0) !== readInt32(head, 4)) return undefined
    return { kind: String.fromCharCode(payload[0] as number) as Kind, body: payload.subarray(1), next: at + frameHeaderBytes + length }
  }

  image(stream: string): Effect.Effect<StreamImage, LogFault> {
    const { path } = this.parts
    const found = this.streams.get(stream)
    if (found === undefined) return Effect.fail(fault(path, "io", `${path} has no stream ${stream}.`))
    const { header, pieces, runs } = found
    return attempt(path, (): StreamImage => {
      const value = new Uint8Array(header.snapshot?.bytes ?? 0)
      let filled = 0
      for (const at of pieces) {
        const piece = this.frame(at)?.body ?? new Uint8Array(0)
        value.set(piece, filled)
        filled += piece.length
      }
      const batches = (from: number) => {
        const at = runs.get(from)
        const run = at === undefined ? undefined : this.frame(at)
        return run === undefined ? Effect.fail(fault(path, "corrupt", `${path} has no entry ${from} of ${stream}.`)) : Effect.succeed([run.body])
      }
      const { end, epoch, snapshot, start } = header
      return { stream, start, end, epoch, snapshot: snapshot === null ? undefined : { index: snapshot.index, value }, batches }
    })
  }
}

/** Writes frames one after the other. */
class FrameWriter {
  private at = 0
  constructor(
    private readonly file: number,
    private readonly crc32c: Crc32c,
    private readonly index: ExportIndex
  ) {}

  put(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.file, bytes, done, bytes.length - done, this.at + done)
    this.at += bytes.length
  }
  frame(kind: Kind, body: Uint8Array): void {
    const bytes = new Uint8Array(frameHeaderBytes + 1 + body.length)
    bytes[frameHeaderBytes] = kind.charCodeAt(0)
    bytes.set(body, frameHeaderBytes + 1)
    writeInt32(bytes, 0, 1 + body.length)
    writeInt32(bytes, 4, this.crc32c(bytes, frameHeaderBytes, bytes.length) | 0)
    const from = this.at
    this.put(bytes)
    this.index.note(kind, from, body)
  }
}

const writeStream = (path: string, frames: FrameWriter, image: StreamImage): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    const { end, epoch, snapshot, start, stream } = image
    const hash = createHash("sha256")
    let [batches, bytes] = [0, 0]
    yield* attempt(path, () => {
      const header: StreamHeader = {
        stream,
        start,
        end,
        epoch,
        snapshot: snapshot === undefined ? null : { index: snapshot.index, bytes: snapshot.value.length }
      }
      frames.frame(kinds.stream, json(header))
      for (let from = 0; snapshot !== undefined && from < snapshot.value.length; from += pieceBytes)
        frames.frame(kinds.snapshot, snapshot.value.subarray(from, from + pieceBytes))
    })
    yield* eachBatches(image, (run) =>
      attempt(path, () => {
        const body = new Uint8Array(run.reduce((sum, batch) => sum + batch.bytes.length, 0))
        let filled = 0
        for (const batch of run) {
          body.set(batch.bytes, filled)
          filled += batch.bytes.length
        }
        hash.update(body)
        batches += run.length
        bytes += body.length
        frames.frame(kinds.batches, body)
      })
    )
    if (snapshot !== undefined) hash.update(`snapshot ${snapshot.index}`).update(snapshot.value)
    const digest: StreamDigest = { start, end, epoch, batches, bytes, sha256: hash.digest("hex") }
    yield* attempt(path, () => frames.frame(kinds.digest, json(digest)))
  })

/** Writes an export beside its path, and gives it its name when it is whole. The path must not exist. */
export const writeExport = (path: string, crc32c: Crc32c) =>
  Effect.gen(function* () {
    const partial = `${path}.partial`
    // What an export left that was interrupted is overwritten.
    const file = yield* opened(partial, "w+")
    const index = new ExportIndex({ path: partial, file, crc32c })
    const frames = new FrameWriter(file, crc32c, index)
    yield* attempt(path, () => frames.put(magic))
    const finish = attempt(path, () => {
      frames.frame(kinds.end, json({ streams: index.streams.size }))
      fsyncSync(file)
      // Fails where the path exists, which a rename would replace.
      linkSync(partial, path)
      unlinkSync(partial)
      const directory = openSync(dirname(path), "r")
      fsyncSync(directory)
      closeSync(directory)
    })
    return { write: (image: StreamImage) => writeStream(path, frames, image), finish, read: (stream: string) => index.image(stream) }
  })

/** Opens an export, reads it to its end, and fails unless it is whole and every checksum and digest is right. */
export const openExport = (path: string, crc32c: Crc32c) =>
  Effect.gen(function* () {
    const file = yield* opened(path, "r")
    const index = new ExportIndex({ path, file, crc32c })
    const begin = yield* attempt(path, () => bytesAt(file, 0, magic.length))
    if (text.decode(begin) !== text.decode(magic)) return yield* fault(path, "corrupt", `${path} is no export of a journal (franz journal export).`)
    const { size } = fstatSync(file)
    let isWhole = false
    for (let at = magic.length; at < size; ) {
      const found = yield* attempt(path, () => index.frame(at))
      if (found === undefined)
        return yield* fault(path, "corrupt", `${path} is damaged or cut off at byte ${at} of ${size}. Nothing was changed. Use another copy of it.`)
      yield* attempt(path, () => {
        index.note(found.kind, at, found.body)
        if (found.kind === kinds.end) isWhole = (JSON.parse(text.decode(found.body)) as { readonly streams: number }).streams === index.streams.size
      })
      at = found.next
    }
    if (!isWhole)
      return yield* fault(
        path,
        "corrupt",
        `${path} has no end: the export was interrupted, or the file is cut off. Nothing was changed. Use another copy of it.`
      )
    for (const [stream, { digest }] of index.streams) {
      const found = yield* Effect.flatMap(index.image(stream), digestOf)
      if (partitionOfStream(stream) === undefined || digest === undefined || digest.sha256 !== found.sha256 || digest.end !== found.end)
        return yield* fault(path, "corrupt", `${path}: the digest of ${stream} differs from its entries. Nothing was changed. Use another copy of it.`)
    }
    return { streams: [...index.streams.keys()], read: (stream: string) => index.image(stream) }
  })
