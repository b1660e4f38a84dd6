import { Clock, type Context, Effect, Either, type Scope } from "effect"
import type { Disk } from "../../../../adapters/log/disk/disk.ts"
import { makeDurableDirectory } from "../../../../adapters/log/disk/disk.ts"
import type { LogDirectory } from "../../../../adapters/log/log-directory.ts"
import { defaultStoreBounds, makeStore, type StoreBounds } from "../../../../adapters/log/store.ts"
import type { RecordBatch } from "../../../../domain/log/batch.ts"
import type { Checksum } from "../../../../src/ports/checksum.ts"
import type { DirectoryIdentity, LogConfig, LogFault, LogStore, PartitionLog } from "../../../../src/ports/log-store.ts"
import type { Chance } from "../../../simulation/chance.ts"
import type { TraceDisk } from "./trace-disk.ts"

export type Store = Context.Tag.Service<LogStore>
export const root = "/data"

/** The program under test: the real store, or one with a planted mistake. */
export interface System {
  readonly makeStore: typeof makeStore
}
export const realSystem: System = { makeStore }

/** A clock on which much happens in little time: what is done every few seconds is done every few calls. */
const hurriedClock = (): Clock.Clock => {
  let now = 1_700_000_000_000
  return Object.assign(Object.create(Clock.make()) as Clock.Clock, { unsafeCurrentTimeMillis: () => (now += 700) })
}

const bounds: StoreBounds = { ...defaultStoreBounds, scrubBytesPerSecondMax: Number.POSITIVE_INFINITY }

export const openStore = (system: System, disk: Disk): Effect.Effect<Store, LogFault, Checksum | Scope.Scope> =>
  Effect.flatMap(makeDurableDirectory(disk, root), () => system.makeStore(disk, root, bounds)).pipe(Effect.withClock(hurriedClock()))

/** Reads all sealed segments of the store's open logs through, now and not in the background. */
export const scrub = (store: Store): Effect.Effect<void> =>
  Effect.forEach(store.directories as ReadonlyArray<LogDirectory>, ({ scrubber }) => scrubber.pass, { discard: true })

/** When, in changes of the disk, something was begun, and when it was answered; undefined: it never was. */
export interface Span {
  readonly begun: number
  answered: number | undefined
}

/** What a log was told and what it answered, so that an image can be compared. */
export interface LogWitness {
  readonly topicId: Parameters<Store["open"]>[0]
  readonly partition: number
  readonly config: LogConfig
  /** Everything that was appended with success, in order, from offset 0 on. */
  readonly appended: Array<RecordBatch>
  /** Ends whose sync was answered. */
  readonly synced: Array<{ readonly at: number; readonly end: number }>
  readonly deleted: Array<Span & { readonly before: number; start: number }>
  removed: Span | undefined
  /** Rounds of compaction: over which offsets, and up to where it was done when it was answered. */
  readonly compacted: Array<Span & { readonly from: number; readonly to: number; cleanEnd: number }>
  /** What is derived from its batches lies beside it, and must be found again. */
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

/** One run of a workload: its disk, and everything that it was promised. */
export class Witness {
  readonly logs: Array<LogWitness> = []
  readonly documents = new Map<string, Array<DocumentWitness>>()
  readonly claims: Array<Span & { readonly identity: DirectoryIdentity }> = []
  readonly journal: JournalWitness = { entries: [], answered: [], epochs: [], snapshots: [], trims: [] }

  constructor(
    readonly system: System,
    readonly trace: TraceDisk,
    readonly chance: Chance
  ) {}

  get now(): number {
    return this.trace.ops.length
  }

  /** Notes when `effect` begins and when it is answered. */
  spanned<S extends Span, A, E, R>(list: Array<S>, span: S, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      list.push(span)
      return Effect.tap(effect, () => Effect.sync(() => void (span.answered = this.now)))
    })
  }

  log(topicId: LogWitness["topicId"], partition: number, config: LogConfig): LogWitness {
    const known = this.logs.find((log) => log.topicId === topicId && log.partition === partition)
    if (known !== undefined) return known
    const log = { topicId, partition, config, appended: [], synced: [], deleted: [], removed: undefined, compacted: [], isDerived: false }
    this.logs.push(log)
    return log
  }

  /** An append that is refused counts as if it had not been: what it left must never be found. */
  append(of: LogWitness, log: PartitionLog, batches: ReadonlyArray<RecordBatch>): Either.Either<void, LogFault> {
    const done = log.append(batches)
    if (Either.isRight(done)) of.appended.push(...batches)
    return done
  }

  readonly sync = (of: LogWitness, log: PartitionLog): Effect.Effect<void, LogFault> =>
    Effect.suspend(() => {
      const end = log.end()
      return Effect.tap(log.sync, () => Effect.sync(() => void of.synced.push({ at: this.now, end })))
    })
}
