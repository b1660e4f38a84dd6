import { Deferred, Effect, Exit, FiberId, Layer } from "effect"
import { layerMemory, MemoryStreams } from "../../../adapters/journal/memory.ts"
import { type Conflict, type Entry, type Fenced, Journal, type NotWritten, type Snapshot, type StoredEntry, type Unknown } from "../../../src/ports/journal.ts"
import type { LogFault } from "../../../src/ports/log-store.ts"

type Fault = Fenced | Conflict | NotWritten | Unknown

/** The journal in memory, with faults that a test asks for. It outlives the layers made of it, as a disk outlives a process. */
export interface ScriptedJournal {
  readonly layer: Layer.Layer<Journal>
  readonly entries: (stream: string) => ReadonlyArray<StoredEntry>
  /** Stores an entry before the journal is opened, as another version of the program would have. */
  readonly store: (stream: string, entry: Entry) => void
  readonly snapshot: (stream: string) => Snapshot | undefined
  /** How often `append` was called: once a turn. */
  readonly appends: () => number
  /** The next appends end so, once each. */
  readonly fail: (fault: Fault) => void
  /** Damage is found in entries that were durable. */
  readonly damage: (fault: LogFault) => void
  /** Appends wait for the gate before they are durable. */
  readonly hold: (gate: Deferred.Deferred<void>) => void
}

export const scriptedJournal = (): ScriptedJournal => {
  const streams = new MemoryStreams()
  const faults: Array<Fault> = []
  let gate: Deferred.Deferred<void> | undefined
  const damaged = Deferred.unsafeMake<never, LogFault>(FiberId.none)
  let appends = 0
  const scripted = (memory: Journal["Type"]): Journal["Type"] => ({
    campaign: (stream, candidate) =>
      Effect.map(memory.campaign(stream, candidate), (taken) => ({ ...taken, lost: Effect.raceFirst(taken.lost, Deferred.await(damaged)) })),
    append: (...call) =>
      Effect.suspend(() => {
        appends++
        const fault = faults.shift()
        if (fault !== undefined) return Effect.fail(fault)
        return gate === undefined ? memory.append(...call) : Effect.zipRight(Deferred.await(gate), memory.append(...call))
      }),
    follow: memory.follow,
    batches: memory.batches,
    trim: memory.trim,
    saveSnapshot: memory.saveSnapshot,
    loadSnapshot: memory.loadSnapshot
  })
  return {
    layer: Layer.effect(Journal, Effect.map(Journal, scripted)).pipe(Layer.provide(layerMemory(streams))),
    entries: (stream) => streams.entries(stream),
    store: (stream, entry) => streams.of(stream)?.append([entry], 1),
    snapshot: (stream) => streams.of(stream)?.snapshot,
    appends: () => appends,
    fail: (fault) => void faults.push(fault),
    damage: (fault) => void Deferred.unsafeDone(damaged, Exit.fail(fault)),
    hold: (next) => {
      gate = next
    }
  }
}
