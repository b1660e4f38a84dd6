import { Effect, Either } from "effect"
import type { Snapshot } from "../../../src/ports/journal.ts"
import { LogFault } from "../../../src/ports/log-store.ts"
import type { EtcdFault } from "./client.ts"
import { partBytesMax } from "./entry-value.ts"
import type { HeldStream } from "./held-stream.ts"
import type { StreamAccess } from "./stream-access.ts"

/** A snapshot in etcd: where its parts are, and what they must be. */
interface Stored {
  readonly index: number
  /** The name of its parts: the index, the epoch and a number, so that no two saves share a part. */
  readonly save: string
  readonly parts: number
  readonly bytes: number
  readonly crc32c: number
}
/** The value of the snapshot's key. */
interface Directory extends Stored {
  /** The snapshot before it: a spare, and what a reader may still be reading. */
  readonly previous?: Stored
}

const utf8 = new TextEncoder()
const text = new TextDecoder()
/** Reads of a snapshot that was replaced meanwhile. */
const attemptsMax = 3

const directory = ({ client, keys }: StreamAccess): Effect.Effect<Directory | undefined, EtcdFault> =>
  Effect.map(client.range({ key: keys.snapshot }), ([found]) => (found === undefined ? undefined : (JSON.parse(text.decode(found.value)) as Directory)))

/** The index of the newest snapshot; undefined where there is none. */
export const snapshotIndex = (parts: StreamAccess): Effect.Effect<number | undefined, EtcdFault> => Effect.map(directory(parts), (found) => found?.index)

/** Replaces the snapshot: its parts first, then the key that names them. The parts of the snapshot before the last go. */
export const saveSnapshot = (parts: StreamAccess, held: HeldStream, { index, value }: Snapshot) =>
  Effect.gen(function* () {
    const { client, crc32c, keys } = parts
    const before = yield* directory(parts)
    const nth = before?.save.startsWith(`${index}-${held.epoch}-`) === true ? Number(before.save.split("-")[2]) + 1 : 0
    const count = Math.max(1, Math.ceil(value.length / partBytesMax))
    const stored: Stored = { index, save: `${index}-${held.epoch}-${nth}`, parts: count, bytes: value.length, crc32c: crc32c(value, 0, value.length) }
    for (let part = 0; part < count; part++)
      yield* held.guarded([{ put: keys.snapshotPart(stored.save, part), value: value.subarray(part * partBytesMax, (part + 1) * partBytesMax) }])
    const previous: Stored | undefined =
      before === undefined ? undefined : { index: before.index, save: before.save, parts: before.parts, bytes: before.bytes, crc32c: before.crc32c }
    const named: Directory = { ...stored, ...(previous === undefined ? {} : { previous }) }
    yield* held.guarded([{ put: keys.snapshot, value: utf8.encode(JSON.stringify(named)) }])
    const keep = [stored.save, previous?.save].flatMap((save) => (save === undefined ? [] : [keys.snapshotPart(save, 0).slice(0, -16)]))
    const all = yield* client.range({ ...keys.snapshots, keysOnly: true })
    const old = all.filter(({ key }) => !keep.some((prefix) => key.startsWith(prefix)))
    if (old.length > 0) yield* held.guarded(old.slice(0, 100).map(({ key }) => ({ remove: { key } })))
  })

const read = ({ client, crc32c, keys }: StreamAccess, { bytes, crc32c: sum, index, parts, save }: Stored): Effect.Effect<Snapshot | undefined, EtcdFault> =>
  Effect.gen(function* () {
    const value = new Uint8Array(bytes)
    let at = 0
    // One part at a time: together they may be tens of mebibytes.
    for (let part = 0; part < parts; part++) {
      const [found] = yield* client.range({ key: keys.snapshotPart(save, part) })
      if (found === undefined || at + found.value.length > bytes) return undefined
      value.set(found.value, at)
      at += found.value.length
    }
    return at === bytes && crc32c(value, 0, bytes) === sum ? { index, value } : undefined
  })

/** Returns the newest snapshot that is whole; undefined where the stream has none. */
export const loadSnapshot = (parts: StreamAccess): Effect.Effect<Snapshot | undefined, EtcdFault | LogFault> =>
  Effect.gen(function* () {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const found = yield* directory(parts)
      if (found === undefined) return undefined
      const newest = yield* read(parts, found)
      if (newest !== undefined) return newest
      const spare = found.previous === undefined ? undefined : yield* read(parts, found.previous)
      if (spare !== undefined) return spare
    }
    return yield* new LogFault({
      path: parts.stream,
      reason: "corrupt",
      message: `The snapshot of ${parts.stream} in ${parts.client.where} is damaged, and the one before it too. Restore etcd from a backup.`
    })
  })

/** Removes the appends that end at or before `index`, with their parts. */
export const trim = (parts: StreamAccess, held: HeldStream, index: number) =>
  Effect.gen(function* () {
    const { client, keys } = parts
    // The append that holds `index`, or begins there, stays.
    const [last] = index >= held.end ? [] : yield* client.range({ ...keys.entriesTo(index + 1), limit: 1, descending: true, keysOnly: true })
    const to = index >= held.end ? held.end : last === undefined ? 0 : keys.indexOf(last.key)
    if (to === 0) return
    yield* held.guarded([{ remove: keys.entriesTo(to) }, { remove: keys.partsTo(to) }])
  })

/** A fault of etcd as the journal's callers know it. */
export const asLogFault =
  (stream: string) =>
  (fault: EtcdFault | LogFault | { readonly _tag: "Fenced" }): LogFault =>
    fault._tag === "LogFault"
      ? fault
      : new LogFault({
          path: stream,
          reason: fault._tag === "EtcdFault" && fault.kind === "full" ? "full" : "io",
          message: fault._tag === "EtcdFault" ? fault.message : `${stream} is led by another process.`
        })

/** Left unless the snapshot is not ahead of the entries. */
export const notAhead = (stream: string, index: number, end: number): Either.Either<void, LogFault> =>
  index <= end
    ? Either.void
    : Either.left(new LogFault({ path: stream, reason: "io", message: `A snapshot at ${index} is ahead of ${stream}, which ends at ${end}.` }))
