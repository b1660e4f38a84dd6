import { Either, Option } from "effect"
import type { Operation } from "../../../adapters/journal/etcd/client.ts"
import { batchOf, headerOf } from "../../../adapters/journal/etcd/entry-value.ts"
import { StreamKeys } from "../../../adapters/journal/etcd/keys.ts"
import type { Decided, SimulatedEtcd } from "../../../adapters/journal/etcd/simulated.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { decodeEntries } from "../../../src/ports/entry-record.ts"
import type { Violation } from "../checker/violation.ts"
import type { JournalEvent, JournalReading, SnapshotRead } from "../history.ts"
import type { Reached } from "./reached.ts"

/** The time in which a process leads the cluster, by its own lease. */
interface Reign {
  readonly process: string
  readonly lease: string
  readonly fromMs: number
}

/** A stream as etcd had it at any time. */
interface Watched {
  readonly keys: StreamKeys
  end: number
  readonly events: Array<JournalEvent>
  snapshot: SnapshotRead | undefined
  /** Who led last, and whether it gave the leadership up. */
  leader: string
  hasResigned: boolean
  /** Whether the last write asked for the key of a leader that was there. */
  isReplaced: boolean
  /** Bytes of appends whose writer has settled that they did not happen, by their index. */
  readonly settled: Set<string>
}

interface WatchParts {
  readonly etcd: SimulatedEtcd
  readonly prefix: string
  /** The first one is the cluster's. */
  readonly streams: ReadonlyArray<string>
  readonly reached: Reached
  readonly now: () => number
  readonly differs: (found: ReadonlyArray<Violation>) => void
}

interface SnapshotDirectory {
  readonly index: number
  readonly save: string
  readonly parts: number
  readonly bytes: number
}

const text = new TextDecoder()

/** Looks at each write that etcd has done: what the journal is, whatever a process believes of it. */
export class JournalWatch {
  readonly reigns: Array<Reign> = []
  private readonly streams: ReadonlyMap<string, Watched>
  private readonly leases = new Map<string, number>()

  constructor(private readonly parts: WatchParts) {
    const { etcd, prefix, streams } = parts
    this.streams = new Map(
      streams.map((stream) => [
        stream,
        { keys: new StreamKeys(prefix, stream), end: 0, events: [], snapshot: undefined, leader: "", hasResigned: false, isReplaced: false, settled: new Set() }
      ])
    )
    etcd.observe = (decided) => this.decided(decided)
  }

  /** The index that the next entry gets. */
  headOf(stream: string): number {
    return this.streams.get(stream)?.end ?? 0
  }
  /** Whether etcd has a snapshot of a stream. */
  hasSnapshot(stream: string): boolean {
    return this.streams.get(stream)?.snapshot !== undefined
  }
  /** A process was granted a lease, or had it renewed: by its own count the lease lasts until then. */
  leased(lease: string, untilMs: number): void {
    this.leases.set(lease, Math.max(this.leases.get(lease) ?? 0, untilMs))
  }
  /** The end of a reign by its leader's own count. */
  untilMs({ lease }: Reign): number {
    return this.leases.get(lease) ?? 0
  }
  get readings(): ReadonlyArray<Omit<JournalReading, "at">> {
    return [...this.streams].map(([stream, { events, snapshot }]) => ({ stream, events, snapshot }))
  }

  private decided({ client, succeeded, txn }: Decided): void {
    for (const [stream, watched] of this.streams) {
      if (!succeeded) this.refused(client, watched, txn.then)
      else {
        watched.isReplaced = txn.compares.some(({ key, modRevision }) => key === watched.keys.leader && modRevision !== 0)
        for (const operation of txn.then) this.done(client, stream, watched, operation)
      }
    }
  }

  /** An append that etcd did not do, since its writer leads no more or has given it up. */
  private refused(client: string, { keys, leader, settled }: Watched, then: ReadonlyArray<Operation>): void {
    const { reached } = this.parts
    for (const operation of then) {
      if (!("put" in operation) || !operation.put.startsWith(keys.entry(0).slice(0, -16))) continue
      if (leader !== client) reached.hit("etcd refused an append of a former leader")
      else if (settled.has(operation.put)) reached.hit("an append arrived that had been settled")
    }
  }

  private done(client: string, stream: string, watched: Watched, operation: Operation): void {
    const { keys } = watched
    if ("remove" in operation) {
      if (operation.remove.key === keys.leader) watched.hasResigned = true
      if (operation.remove.key.startsWith(keys.entry(0).slice(0, -16))) this.trimmed(stream, watched)
    } else if ("put" in operation) {
      const { lease, put, value } = operation
      if (put === keys.leader) this.won(client, stream, watched, lease ?? "")
      else if (put === keys.head) this.moved(client, stream, watched, Number(text.decode(value)))
      else if (put === keys.snapshot) this.saved(stream, watched)
    }
  }

  private won(process: string, stream: string, watched: Watched, lease: string): void {
    const { now, reached, streams } = this.parts
    if (stream === streams[0]) {
      this.reigns.push({ process, lease, fromMs: now() })
      if (watched.leader !== "")
        reached.hit(
          watched.isReplaced
            ? "a candidate won over a leader that had ended, within its lease"
            : watched.hasResigned
              ? "a candidate won after its leader had resigned"
              : "a candidate won over a leader whose lease had ended"
        )
    }
    watched.leader = process
    watched.hasResigned = false
    watched.settled.clear()
  }

  /** M1, M5: entries become the journal's where the head passes them. They come from the leader of this moment, under its epoch, and follow the entries before them. */
  private moved(client: string, stream: string, watched: Watched, end: number): void {
    const { etcd, reached } = this.parts
    const { keys } = watched
    if (end === watched.end) {
      watched.settled.add(keys.entry(end))
      reached.hit("an unknown append was settled as not done")
      return
    }
    if (end < watched.end) return this.found("M1", `the head of ${stream} went from ${watched.end} back to ${end}`)
    const [leader] = etcd.range({ key: keys.leader })
    const epoch = Number(text.decode(etcd.range({ key: keys.epoch })[0]?.value))
    if (leader === undefined || watched.leader !== client)
      this.found("M5", `${client} appended ${watched.end} to ${end} of ${stream}, and ${leader === undefined ? "no candidate" : watched.leader} leads`)
    const events: Array<JournalEvent> = []
    for (const { key, value } of etcd.range({ key: keys.entry(watched.end), end: keys.entry(end) })) {
      const header = Option.getOrUndefined(headerOf(value))
      if (header !== undefined && header.epoch !== epoch) this.found("M5", `${key} was appended under epoch ${header.epoch}, and the epoch is ${epoch}`)
      const parts = header === undefined || header.parts === 0 ? [] : etcd.range(keys.partsOf(keys.indexOf(key), header.epoch))
      const batch = Either.getOrThrow(
        batchOf(
          value,
          parts.map((part) => part.value)
        )
      )
      for (const { commandId, index, type, value: json } of Either.getOrThrow(decodeEntries(stream, [batch], crc32c)))
        events.push({ index, commandId, type, json: text.decode(json) })
    }
    const isWhole = events.length === end - watched.end && events.every(({ index }, at) => index === watched.end + at)
    if (!isWhole) this.found("M1", `the head of ${stream} went from ${watched.end} to ${end}, and the entries there are ${events.map(({ index }) => index)}`)
    watched.events.push(...events)
    watched.end = end
  }

  /** M2: a snapshot is named once all its parts are there. */
  private saved(stream: string, watched: Watched): void {
    const directory = this.directoryOf(watched)
    if (directory === undefined) return
    const parts = this.parts.etcd.range(watched.keys.snapshotParts(directory.save))
    const bytes = parts.reduce((sum, { value }) => sum + value.length, 0)
    if (parts.length !== directory.parts || bytes !== directory.bytes)
      this.found(
        "M2",
        `the snapshot of ${stream} at ${directory.index} has ${parts.length} of ${directory.parts} parts and ${bytes} of ${directory.bytes} bytes`
      )
    watched.snapshot = { index: directory.index, json: parts.map(({ value }) => text.decode(value)).join("") }
  }

  /** M2: what a trim leaves begins at or before the newest snapshot. */
  private trimmed(stream: string, watched: Watched): void {
    const { etcd, reached } = this.parts
    const { end, keys } = watched
    const [first] = etcd.range({ ...keys.entriesFrom(0), limit: 1, keysOnly: true })
    const start = first === undefined ? end : keys.indexOf(first.key)
    const snapshot = this.directoryOf(watched)?.index ?? 0
    if (start > snapshot) this.found("M2", `${stream} begins with ${start}, and its snapshot covers the entries before ${snapshot}`)
    if (start > 0) reached.hit("a stream of groups was trimmed")
  }

  private directoryOf({ keys }: Watched): SnapshotDirectory | undefined {
    const [found] = this.parts.etcd.range({ key: keys.snapshot })
    return found === undefined ? undefined : (JSON.parse(text.decode(found.value)) as SnapshotDirectory)
  }
  private found(invariant: string, message: string): void {
    this.parts.differs([{ invariant, message }])
  }
}
