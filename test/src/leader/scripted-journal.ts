import { Deferred, Effect, Either, Exit, FiberId, Layer, Stream } from "effect"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { encodeBatch } from "../../../domain/log/record.ts"
import { type Conflict, type Entry, type Fenced, Journal, type Snapshot, type StoredEntry, type Unknown } from "../../../src/ports/journal.ts"
import type { LogFault } from "../../../src/ports/log-store.ts"

/** What a test sees of a journal in memory, and what it lets happen to it. It outlives the layers made of it, as a disk outlives a process. */
export interface ScriptedJournal {
  readonly layer: Layer.Layer<Journal>
  readonly entries: (stream: string) => Array<StoredEntry>
  readonly snapshots: Map<string, Snapshot>
  /** How often `append` was called: once a turn. */
  readonly appends: () => number
  /** The next appends end so, once each. */
  readonly fail: (fault: Fenced | Conflict | Unknown) => void
  /** Damage is found in what was durable. */
  readonly damage: (fault: LogFault) => void
  /** Appends wait for it before they are durable. */
  readonly hold: (gate: Deferred.Deferred<void>) => void
}

const utf8 = new TextEncoder()
export const scriptedJournal = (): ScriptedJournal => {
  const streams = new Map<string, Array<StoredEntry>>()
  const epochs = new Map<string, number>()
  const snapshots = new Map<string, Snapshot>()
  const faults: Array<Fenced | Conflict | Unknown> = []
  let gate: Deferred.Deferred<void> | undefined
  const damaged = Deferred.unsafeMake<never, LogFault>(FiberId.none)
  let appends = 0
  const entries = (stream: string) => {
    const known = streams.get(stream) ?? []
    streams.set(stream, known)
    return known
  }
  const store = (stream: string, expected: number, added: ReadonlyArray<Entry>) =>
    Effect.gen(function* () {
      appends++
      const fault = faults.shift()
      if (fault !== undefined) return yield* fault
      if (gate !== undefined) yield* gate
      added.forEach((entry, n) => entries(stream).push({ ...entry, index: expected + n, timestamp: 1000 + expected + n }))
    })
  const batchOf = (entry: StoredEntry): Uint8Array =>
    encodeBatch(
      {
        baseOffset: entry.index,
        codec: "none",
        records: [{ timestamp: entry.timestamp, key: utf8.encode(entry.type), value: entry.value, headers: [] }]
      },
      { crc32c, compress: (_, bytes) => bytes }
    )
  const layer = Layer.succeed(Journal, {
    open: (stream) =>
      Effect.sync(() => {
        const epoch = (epochs.get(stream) ?? 0) + 1
        epochs.set(stream, epoch)
        return { start: 0, end: entries(stream).length, epoch, damaged: Deferred.await(damaged) }
      }),
    append: (stream, _epoch, expected, added) => store(stream, expected, added),
    read: (stream, from) => Stream.suspend(() => Stream.fromIterable(entries(stream).slice(from))),
    batches: (stream, from) =>
      Either.right(
        entries(stream)
          .slice(from, from + 100)
          .map(batchOf)
      ),
    trim: () => Effect.void,
    saveSnapshot: (stream, snapshot) => Effect.sync(() => void snapshots.set(stream, snapshot)),
    loadSnapshot: (stream) => Effect.sync(() => snapshots.get(stream))
  })
  return {
    layer,
    entries,
    snapshots,
    appends: () => appends,
    fail: (fault) => void faults.push(fault),
    damage: (fault) => void Deferred.unsafeDone(damaged, Exit.fail(fault)),
    hold: (next) => {
      gate = next
    }
  }
}
