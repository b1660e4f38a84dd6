import { Clock, type Context, Effect, Either, type Scope } from "effect"
import type { Disk } from "../../../../adapters/log/disk/disk.ts"
import { makeDurableDirectory } from "../../../../adapters/log/disk/disk.ts"
import type { LogDirectory } from "../../../../adapters/log/log-directory.ts"
import { defaultStoreBounds, makeStore, type StoreBounds } from "../../../../adapters/log/store.ts"
import type { RecordBatch } from "../../../../domain/log/batch.ts"
import type { Checksum } from "../../../../src/ports/checksum.ts"
import { type DirectoryIdentity, type LogConfig, LogFault, type LogStore, type PartitionLog } from "../../../../src/ports/log-store.ts"
import type { Chance } from "../../../simulation/chance.ts"
import { batchesIn } from "../../../src/ports/log-batches.ts"
import type { TraceDisk } from "./trace-disk.ts"

export type Store = Context.Tag.Service<LogStore>
export const root = "/data"

/** The program under test: the real store, or one with a planted mistake. */
export interface System {
  readonly makeStore: typeof makeStore
}
export const realSystem: System = { makeStore }

/** A fast clock: periodic work of a few seconds runs every few calls. */
const hurriedClock = (): Clock.Clock => {
  let now = 1_700_000_000_000
  return Object.assign(Object.create(Clock.make()) as Clock.Clock, { unsafeCurrentTimeMillis: () => (now += 700) })
}

const bounds: StoreBounds = { ...defaultStoreBounds, scrubBytesPerSecondMax: Number.POSITIVE_INFINITY, crowdMin: Number.POSITIVE_INFINITY }
/** Logs share their syncs from the first one on, and nothing waits for a time of the clock. */
export const sharing = { crowdMin: 0, noteMs: 0 }

export const openStore = (system: System, disk: Disk, more: Partial<StoreBounds> = {}): Effect.Effect<Store, LogFault, Checksum | Scope.Scope> =>
  Effect.flatMap(makeDurableDirectory(disk, root), () => system.makeStore(disk, root, { ...bounds, ...more })).pipe(Effect.withClock(hurriedClock()))

/** Scrubs all sealed segments of the store's open logs in the caller's fiber, not in the background. */
export const scrub = (store: Store): Effect.Effect<void> =>
  Effect.forEach(store.directories as ReadonlyArray<LogDirectory>, ({ scrubber }) => scrubber.pass, { discard: true })

/** When an operation began and when it was acknowledged, counted in changes of the disk; undefined: it never was. */
export interface Span {
  readonly begun: number
  answered: number | undefined
}

/** A round of compaction: its range of offsets, and up to which offset it was complete when it ended. */
interface Compaction extends Span {
  readonly from: number
  readonly to: number
  cleanEnd: number
  /** The batches that existed when it ran; a truncation may have removed some since. */
  readonly over: ReadonlyArray<RecordBatch>
  /** The log was truncated to this offset since: later offsets are not those that it saw. */
  readonly cutAt: number
}

/** What was acknowledged of a log between two truncations. */
interface LogHistory {
  /** Where the log starts unless retention has raised it. */
  start: number
  /** All successful appends, in order, from the start. */
  appended: Array<RecordBatch>
  /** End offsets whose sync was acknowledged. */
  synced: Array<{ readonly at: number; readonly end: number }>
  deleted: Array<Span & { readonly before: number; start: number }>
  compacted: Array<Compaction>
}

/** A truncation of the log, and what was acknowledged before it. */
interface LogCut extends Span {
  readonly before: LogHistory
  /** Where the log ends after it, with these batches from this start on. */
  readonly left: LogHistory
}

/** The calls to a log and their results, to compare an image with. */
export interface LogWitness extends LogHistory {
  readonly topicId: Parameters<Store["open"]>[0]
  readonly partition: number
  readonly config: LogConfig
  removed: Span | undefined
  readonly cuts: Array<LogCut>
  /** Its derived state is stored beside it, and recovery must find it. */
  isDerived: boolean
}
export interface DocumentWitness extends Span {
  readonly value: string
}
interface JournalWitness {
  readonly entries: Array<string>
  readonly answered: Array<{ readonly at: number; readonly end: number }>
  readonly epochs: Array<{ readonly at: number; readonly epoch: number }>
  readonly snapshots: Array<Span & { readonly index: number; readonly value: string }>
  readonly trims: Array<Span & { readonly index: number }>
}

/** The end of the last retained batch that ends at or before `offset`: compaction may have removed the one that ended at `offset`. */
const endBefore = (log: PartitionLog, offset: number): number => {
  const base = log.segments().findLast(({ baseOffset }) => baseOffset <= offset)?.baseOffset ?? log.start()
  const [run] = base < offset ? [Either.getOrThrow(log.read(base, Number.MAX_SAFE_INTEGER, offset))] : [[]]
  return batchesIn(run).reduce((end, { nextOffset }) => (nextOffset <= offset ? Math.max(end, nextOffset) : end), base)
}

/** One run of a workload: its disk, and all that was acknowledged to it. */
export class Witness {
  readonly logs: Array<LogWitness> = []
  /** The id of the data directory, once a claim was answered. */
  directoryId: { readonly at: number; readonly id: string | undefined } | undefined
  readonly documents = new Map<string, Array<DocumentWitness>>()
  readonly claims: Array<Span & { readonly identity: DirectoryIdentity }> = []
  /** Failures while the workload ran, before any power cut. */
  readonly problems: Array<string> = []
  readonly journal: JournalWitness = { entries: [], answered: [], epochs: [], snapshots: [], trims: [] }

  constructor(
    readonly system: System,
    readonly trace: TraceDisk,
    readonly chance: Chance
  ) {}

  get now(): number {
    return this.trace.ops.length
  }

  /** Records when `effect` begins and when it ends. */
  spanned<S extends Span, A, E, R>(list: Array<S>, span: S, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      list.push(span)
      return Effect.tap(effect, () => Effect.sync(() => void (span.answered = this.now)))
    })
  }

  log(topicId: LogWitness["topicId"], partition: number, config: LogConfig): LogWitness {
    const known = this.logs.find((log) => log.topicId === topicId && log.partition === partition)
    if (known !== undefined) return known
    const log: LogWitness = {
      topicId,
      partition,
      config,
      start: 0,
      appended: [],
      synced: [],
      deleted: [],
      removed: undefined,
      compacted: [],
      cuts: [],
      isDerived: false
    }
    this.logs.push(log)
    return log
  }

  /** Truncates the log so that it ends before `offset`, or restarts it there. With `mayFail` the disk may fail: the next opening finishes the truncation. */
  cut(of: LogWitness, log: PartitionLog, offset: number, kind: "truncate" | "restart", mayFail = false): Effect.Effect<void, LogFault> {
    return Effect.suspend(() => {
      if (kind === "truncate" && offset >= log.end()) return log.truncateTo(offset)
      const restarts = kind === "restart" || offset < log.start()
      const before: LogHistory = { start: of.start, appended: of.appended, synced: of.synced, deleted: of.deleted, compacted: of.compacted }
      const end = restarts ? offset : endBefore(log, offset)
      const appended = restarts ? [] : of.appended.filter(({ nextOffset }) => nextOffset <= end)
      const left: LogHistory = {
        start: restarts ? offset : of.start,
        appended,
        synced: [{ at: 0, end }],
        deleted: restarts ? [] : of.deleted,
        compacted: restarts ? [] : of.compacted.map((round) => ({ ...round, cutAt: Math.min(round.cutAt, end) }))
      }
      const span: LogCut = { begun: this.now, answered: undefined, before, left }
      of.cuts.push(span)
      Object.assign(of, { ...left, appended: [...appended], synced: [] })
      const cutting = kind === "restart" ? log.restartAt(offset) : log.truncateTo(offset)
      return cutting.pipe(
        Effect.tap(() => Effect.sync(() => this.cutAnswered(of))),
        Effect.tapError(({ message }) => Effect.sync(() => void (mayFail || this.problems.push(`the cut to ${offset} failed: ${message}`)))),
        Effect.tap(() =>
          Effect.sync(() => {
            if (log.end() !== end || log.syncedEnd() !== end)
              this.problems.push(`cut to ${offset}, the log ends at ${log.end()} (synced ${log.syncedEnd()}), not at ${end}`)
          })
        )
      )
    })
  }
  /** The latest truncation ended. */
  cutAnswered(of: LogWitness): void {
    const last = of.cuts.at(-1)
    if (last === undefined || last.answered !== undefined) return
    last.answered = this.now
    for (const { end } of last.left.synced) of.synced.push({ at: this.now, end })
  }

  /** A refused append counts as not made: recovery must never find what it left. */
  append(of: LogWitness, log: PartitionLog, batches: ReadonlyArray<RecordBatch>): Either.Either<void, LogFault> {
    // As the leader and as a follower: both leave the same files, and recovery has to find the same.
    const isFollower = (batches[0]?.baseOffset ?? 0) % 3 === 0
    const done: Either.Either<void, LogFault> = isFollower ? this.appendAsFollower(log, batches) : log.append(batches)
    if (Either.isRight(done)) of.appended.push(...batches)
    return done
  }

  private appendAsFollower(log: PartitionLog, batches: ReadonlyArray<RecordBatch>): Either.Either<void, LogFault> {
    return Either.mapLeft(log.appendAsFollower(batches), (wrong) => {
      if (wrong._tag === "LogFault") return wrong
      this.problems.push(wrong.message)
      return new LogFault({ path: wrong.path, reason: "io", message: wrong.message })
    })
  }

  readonly sync = (of: LogWitness, log: PartitionLog): Effect.Effect<void, LogFault> =>
    Effect.suspend(() => {
      const end = log.end()
      return Effect.tap(log.sync, () => Effect.sync(() => void of.synced.push({ at: this.now, end })))
    })
}
