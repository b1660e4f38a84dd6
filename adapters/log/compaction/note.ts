import { Effect } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import type { CompactedRanges } from "../../../domain/log/compacted-ranges.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import type { LogFault } from "../../../src/ports/log-store.ts"
import { attempt, type Disk, faultOf, type ReadableDisk, readSmallFile } from "../disk/disk.ts"

/**
 * What compaction has done to a log, in a file beside its segments: the only thing that tells a record that was compacted away from one that is lost.
 * A log that was never compacted has none.
 */
export interface CompactionNote {
  /** Everything before it was compacted; Kafka's cleaner-offset-checkpoint. */
  readonly cleanEnd: Offset
  /**
   * A follower appended batches that its leader's compaction went over: up to there batches may have fewer records than
   * offsets, or none.
   */
  readonly sparseEnd: Offset
  /** Where records may be missing. */
  readonly ranges: CompactedRanges
  /** The segments from one offset up to another are being put in place of by one: begun, and perhaps not finished. */
  readonly pending: { readonly baseOffset: Offset; readonly end: Offset } | undefined
}
export const noNote: CompactionNote = { cleanEnd: 0, sparseEnd: 0, ranges: new Map(), pending: undefined }

export const noteFileName = "compaction"
/** The note that takes its place next. */
export const temporaryNoteName = `${noteFileName}.tmp`
/** 24 bytes or so for each compacted segment. */
const noteBytesMax = 67_108_864
const form = /^franz-compaction 1 crc ([0-9a-f]{8})\nclean (\d+)\npending (?:(\d+) (\d+)|none)\n(?:followed (\d+)\n)?((?:\d+ \d+\n)*)$/
const text = new TextDecoder()
const utf8 = new TextEncoder()

const bodyOf = ({ cleanEnd, pending, ranges, sparseEnd }: CompactionNote): string => {
  const under = pending === undefined ? "none" : `${pending.baseOffset} ${pending.end}`
  const followed = sparseEnd === 0 ? "" : `followed ${sparseEnd}\n`
  return `clean ${cleanEnd}\npending ${under}\n${followed}${[...ranges].map(([base, end]) => `${base} ${end}\n`).join("")}`
}
const crcOf = (body: string, crc32c: Crc32c): string => crc32c(utf8.encode(body)).toString(16).padStart(8, "0")

const decode = (bytes: Uint8Array, crc32c: Crc32c): CompactionNote | "damaged" => {
  const found = form.exec(text.decode(bytes))
  if (found === null) return "damaged"
  const [, crc, clean, base, end, followed = "0", lines = ""] = found
  const ranges = new Map(
    lines
      .trimEnd()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split(" ").map(Number) as [Offset, Offset])
  )
  const pending = base === undefined ? undefined : { baseOffset: Number(base), end: Number(end) }
  const note: CompactionNote = { cleanEnd: Number(clean), sparseEnd: Number(followed), ranges, pending }
  return crcOf(bodyOf(note), crc32c) === crc ? note : "damaged"
}

/** What the note says; undefined where there is none. Throws what the disk throws. */
export const readNote = (disk: ReadableDisk, directory: string, crc32c: Crc32c): CompactionNote | "damaged" | undefined => {
  const path = `${directory}/${noteFileName}`
  if (!disk.exists(path)) return undefined
  return (disk.size(path) ?? 0) > noteBytesMax ? "damaged" : decode(readSmallFile(disk, path, noteBytesMax), crc32c)
}

/** Replaces the note; its bytes are durable when it returns, its name after the next sync of the directory. `syncFailed` says what a failed sync is. */
export const writeNote = (
  disk: Disk,
  directory: string,
  note: CompactionNote,
  crc32c: Crc32c,
  syncFailed: (path: string, cause: unknown) => LogFault = (path, cause) => faultOf(path, "sync", cause)
): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    const path = `${directory}/${noteFileName}`
    const temporary = `${directory}/${temporaryNoteName}`
    const body = bodyOf(note)
    const file = yield* attempt(temporary, "open", () => disk.open(temporary, "create"))
    yield* attempt(temporary, "write", () => {
      file.truncate(0)
      file.write([utf8.encode(`franz-compaction 1 crc ${crcOf(body, crc32c)}\n${body}`)], 0)
    }).pipe(Effect.andThen(Effect.mapError(file.sync, (error) => syncFailed(temporary, error))), Effect.ensuring(Effect.sync(() => file.close())))
    yield* attempt(path, "rename", () => disk.rename(temporary, path))
  })
