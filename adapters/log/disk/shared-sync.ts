import type { LogFault } from "../../../src/ports/log-store.ts"
import type { Synced } from "./group-commit.ts"
import type { SyncTimes } from "./sync-times.ts"
import { covers, type SyncableVolume, type VolumeRound, type VolumeSync } from "./volume-sync.ts"

/** A log of the directory, as its shared syncs see it. `Point` says up to where a sync makes it durable. */
export interface SharedLog<Point> {
  /** Its requests that wait for a shared sync. */
  sharedWaits: number
  readonly fault: LogFault | undefined
  /** How many bytes before `point` are not known to be durable. */
  readonly bytesTo: (point: Point) => number
  /** A shared sync made everything up to `point` durable. */
  readonly reached: (point: Point) => void
  /** No request of it waits for a shared sync any more. */
  readonly drained: () => void
  /** Writes down how far the log is durable, where it is still online. */
  readonly noteReached: () => void
  /** The shared sync failed, and says nothing of this log: a sync of its own answers. */
  readonly syncAlone: (synced: Synced) => void
}

interface Wait<Point> {
  readonly ticket: number
  readonly log: SharedLog<Point>
  readonly point: Point
  synced: Synced | undefined
}

/** When logs share their syncs. */
export interface SharingBounds {
  /**
   * Logs share syncs after so many crowded ones in a second: a sync counts as often as there are other logs of the directory whose syncs run when it starts.
   * Infinity: never.
   */
  readonly crowdMin: number
  /**
   * How long, at most, the recovery point of a log waits after a shared sync, ms: a point is a write to one more file that the next sync of the volume writes out.
   * 0: it does not wait.
   */
  readonly noteMs: number
}
export const defaultSharing: SharingBounds = { crowdMin: 200, noteMs: 100 }

/** What the shared syncs of a directory get from their store. */
interface SharingContext {
  readonly bounds: SharingBounds
  readonly syncTimes: SyncTimes
  /** ms since 1970. */
  readonly now: () => number
  /** Warns the operator. */
  readonly report: (line: string) => void
  /** Runs `run` after so many ms. */
  readonly after: (ms: number, run: () => void) => void
}

const windowMs = 1000
/** Fewer logs than that in a round, on average, and each syncs by itself: one `fdatasync` costs as much as one `syncfs`. */
const logsMin = 1.25
/**
 * While requests come, the next sync waits for more of them as long as the last one took, and at most so many ms: PostgreSQL's commit_delay, whose manual advises half
 * of a sync. The whole is 4 to 8 % cheaper at 5,000 messages a second, and on a slow disk the bound is a small share.
 */
const pauseMsMax = 1
/** Requests in a round, on average, from which on the next round waits for more. One client that waits for each answer never waits for others. */
const pauseFrom = 2
/**
 * Bytes of a round, on average, from which on the next one does not wait: the disk writes for longer than it takes to begin, and would be idle in the pause.
 */
const bulkBytes = 262_144
/** A shared sync that takes longer than that many syncs of one log, and than so many ms, writes out what is none of the logs' business. */
const slowFactor = 8
const slowMsMin = 50
/** How long the logs sync by themselves after slow shared syncs, ms: doubled each time. */
const restMs = { first: 10_000, most: 300_000 }
/** A thread that is not used for so long ends, ms. */
const idleMsMax = 60_000

const toward = (average: number, value: number): number => average + (value - average) / 8

/**
 * The syncs that the logs of one data directory share: where several of them have requests that wait, one sync of the volume replaces a sync of each log.
 *
 * Each log begins with syncs of its own. When many of them run side by side, a thread starts (`VolumeSync`), and requests go to it for as long as rounds have several
 * logs and are not slower than syncs of single logs. An error of the volume may be another program's: it says nothing of any log. So the requests that wait go to a
 * sync of their log, whose descriptor is told of every failed write of its file, and the volume is not used again (docs/decisions/0056).
 */
export class SharedSync<Point> {
  /** Requests may go to the thread. */
  isOpen = false
  /** Rounds of the thread so far: for tests and measurements. */
  rounds = 0
  private thread: VolumeSync | undefined
  private waits: Array<Wait<Point>> = []
  private hasFailed = false
  /** Syncs of single logs that run, how crowded they were since `windowFrom`, and how long they take. */
  private running = 0
  private crowd = 0
  private windowFrom = 0
  private aloneMs = 0
  /** Averages of the last rounds: their logs, their requests, their bytes, and their time. */
  private logs = 0
  private requests = 0
  private bytes = 0
  private sharedMs = 0
  /** So many requests are as many as lately came together. */
  private gathered = 0
  private restUntil = 0
  private rest = restMs.first
  private usedAt = 0
  /** Logs whose recovery point is older than their last shared sync. */
  private unnoted = new Set<SharedLog<Point>>()

  constructor(
    private readonly volume: SyncableVolume | undefined,
    private readonly context: SharingContext
  ) {}

  /** Whether there is a volume to sync. */
  get isPossible(): boolean {
    return this.volume !== undefined && !this.hasFailed
  }

  /** Whether the file is on the volume that is synced: it may be a link to another one. */
  holds(path: string): boolean {
    try {
      return this.volume?.holds(path) ?? false
    } catch {
      return false
    }
  }

  /** A log begins a sync of its own. */
  begun(): void {
    const { bounds, now: clock } = this.context
    this.crowd += this.running++
    if (this.volume === undefined || this.hasFailed || this.isOpen) return
    const now = clock()
    if (now - this.windowFrom > windowMs || now < this.windowFrom) {
      this.windowFrom = now
      this.crowd = this.running - 1
    }
    if (this.crowd < bounds.crowdMin || now < this.restUntil) return
    this.usedAt = now
    this.logs = logsMin * 2
    this.requests = this.bytes = this.gathered = this.sharedMs = 0
    if (this.thread !== undefined) this.isOpen = true
    else this.start(this.volume)
  }
  private start(volume: SyncableVolume): void {
    try {
      this.thread = volume.start((round) => this.heard(round))
    } catch (error) {
      // The process may have no memory or no thread left for it.
      this.failed(error)
    }
  }
  ended(ms: number): void {
    this.running--
    this.aloneMs = toward(this.aloneMs, ms)
  }

  /** Calls `synced` after a shared sync that starts after the call. Only while `isOpen`. Returns how to cancel the wait. */
  join(log: SharedLog<Point>, point: Point, synced: Synced): () => void {
    const thread = this.thread as VolumeSync
    const wait: Wait<Point> = { ticket: thread.ask(), log, point, synced }
    this.waits.push(wait)
    log.sharedWaits++
    if (this.waits.length >= this.gathered) thread.hurry()
    return () => {
      wait.synced = undefined
    }
  }

  /** Ends a thread that was not used for a while. */
  endIfIdle(): void {
    if (this.waits.length === 0 && this.context.now() - this.usedAt > idleMsMax) this.endThread()
  }

  close(): void {
    this.syncAlone()
    this.volume?.close()
  }

  private endThread(): void {
    this.isOpen = false
    this.thread?.close()
    this.thread = undefined
  }

  private heard({ covered, error, ms }: VolumeRound): void {
    if (error !== undefined) return this.failed(error)
    const released = this.take(covered)
    if (released.length === 0) {
      // The thread says that it is ready.
      this.isOpen = !this.hasFailed
      return
    }
    this.rounds++
    this.context.syncTimes.add(ms, false)
    const { bytes, logs } = this.reach(released)
    this.adapt(ms, { bytes, logs: logs.size, requests: released.length })
    for (const { log, synced } of released) synced?.(log.fault)
    for (const log of logs) if (log.sharedWaits === 0) log.drained()
    this.noteSoon(logs)
  }

  private noteSoon(logs: ReadonlySet<SharedLog<Point>>): void {
    const { after, bounds } = this.context
    const { unnoted } = this
    const isScheduled = unnoted.size > 0
    for (const log of logs) unnoted.add(log)
    if (bounds.noteMs === 0) this.note()
    else if (!isScheduled) after(bounds.noteMs, () => this.note())
  }
  private note(): void {
    const { unnoted } = this
    this.unnoted = new Set()
    for (const log of unnoted) log.noteReached()
  }

  /** The requests that the round covers: those that came first. */
  private take(covered: number): ReadonlyArray<Wait<Point>> {
    const { waits } = this
    let count = 0
    while (count < waits.length && covers(covered, (waits[count] as Wait<Point>).ticket)) count++
    this.waits = count === waits.length ? [] : waits.slice(count)
    return count === waits.length ? waits : waits.slice(0, count)
  }

  /** Each log advances once, to the last of its points. */
  private reach(released: ReadonlyArray<Wait<Point>>): { readonly logs: ReadonlySet<SharedLog<Point>>; readonly bytes: number } {
    const logs = new Set<SharedLog<Point>>()
    let bytes = 0
    for (let i = released.length - 1; i >= 0; i--) {
      const { log, point } = released[i] as Wait<Point>
      log.sharedWaits--
      if (logs.has(log)) continue
      logs.add(log)
      bytes += log.bytesTo(point)
      log.reached(point)
    }
    return { logs, bytes }
  }

  private adapt(ms: number, { bytes, logs, requests }: { readonly logs: number; readonly requests: number; readonly bytes: number }): void {
    this.usedAt = this.context.now()
    this.logs = toward(this.logs, logs)
    this.requests = toward(this.requests, requests)
    this.bytes = toward(this.bytes, bytes)
    this.gathered = Math.max(requests, this.gathered * 0.95)
    const slowMs = Math.max(slowMsMin, slowFactor * this.aloneMs)
    // Several in a row are slow, not one: single syncs of logs wait for a busy disk, too.
    this.sharedMs = toward(this.sharedMs, Math.min(ms, 2 * slowMs))
    this.thread?.pause(this.requests >= pauseFrom && this.bytes < bulkBytes ? Math.min(pauseMsMax, ms) : 0)
    const isSlow = this.sharedMs > slowMs
    if (!isSlow && this.logs >= logsMin) return
    this.isOpen = false
    this.crowd = 0
    if (!isSlow) return
    this.restUntil = this.usedAt + this.rest
    this.rest = Math.min(restMs.most, this.rest * 2)
  }

  private failed(error: unknown): void {
    const detail = error instanceof Error ? error.message : String(error)
    this.context.report(`One sync for all logs does not work (${detail}). Each log is synced by itself from now on, and reports its own errors.`)
    this.syncAlone()
  }

  /** No more shared syncs: the requests that wait go to syncs of their logs. */
  private syncAlone(): void {
    this.hasFailed = true
    this.endThread()
    const { waits } = this
    this.waits = []
    const logs = new Set<SharedLog<Point>>()
    for (const { log, synced } of waits) {
      log.sharedWaits--
      logs.add(log)
      if (synced !== undefined) log.syncAlone(synced)
    }
    for (const log of logs) log.drained()
  }
}
