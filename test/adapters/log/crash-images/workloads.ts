import { Effect, Either, ExecutionStrategy, Exit, Layer, Scope } from "effect"
import { layer as journalLayer } from "../../../../adapters/journal/over-log.ts"
import type { Disk } from "../../../../adapters/log/disk/disk.ts"
import type { RecordBatch } from "../../../../domain/log/batch.ts"
import type { Checksum } from "../../../../src/ports/checksum.ts"
import { Journal } from "../../../../src/ports/journal.ts"
import { defaultLogConfig, type LogConfig, type LogFault, LogStore, type PartitionLog } from "../../../../src/ports/log-store.ts"
import { batch, otherTopicId, smallConfig, topicId } from "../../../src/ports/log-batches.ts"
import { compaction } from "./compaction.ts"
import { restart, truncate } from "./cuts.ts"
import { Fold, putDerived } from "./derived.ts"
import type { Tree } from "./tree.ts"
import { type DocumentWitness, type LogWitness, openStore, root, type Store, scrub, sharing, type Witness } from "./world.ts"

/** A sequence of operations on a store whose changes of the disk are recorded. Its failures are part of it. */
export interface Workload {
  readonly name: string
  /** Takes only one of this many crash points, a different one with each seed: leaves time for more seeds of workloads with many points. */
  readonly pointsEvery?: number
  readonly run: (witness: Witness) => Effect.Effect<void, unknown, Checksum | Scope.Scope>
}

export const journalStream = "__group_metadata-0"
const utf8 = new TextEncoder()
const largeConfig: LogConfig = { ...defaultLogConfig, segmentBytesMax: 40_000, indexIntervalBytes: 500 }

/** A new random batch: its timestamps do not rise with its offsets. */
const next = ({ chance }: Witness, from: number, largest: number): RecordBatch =>
  batch(from, chance.between(1, 3), chance.between(0, chance.pick([20, 300, largest])), 1000 + chance.below(500), 0)

const putSome = (witness: Witness, of: LogWitness, log: PartitionLog, count: number, largest: number): Effect.Effect<void, LogFault> =>
  Effect.suspend(() => {
    for (let i = 0; i < count; i++) {
      const first = next(witness, log.end(), largest)
      const batches = witness.chance.isTrue(0.3) ? [first, next(witness, first.nextOffset, 100)] : [first]
      const done = witness.append(of, log, batches)
      if (Either.isLeft(done)) return Effect.fail(done.left)
    }
    return Effect.void
  })

const opened = (witness: Witness, store: Store, config: LogConfig, topic = topicId, partition = 0) =>
  Effect.map(store.open(topic, partition, config), (log) => ({ log, of: witness.log(topic, partition, config) }))

/** Several concurrent appenders that wait for their syncs, as connections do. */
const producers = (witness: Witness, of: LogWitness, log: PartitionLog, count: number, largest: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, i) => i),
    (i) =>
      Effect.gen(function* () {
        for (let turns = i + witness.chance.below(3); turns > 0; turns--) yield* Effect.yieldNow()
        yield* putSome(witness, of, log, witness.chance.between(1, 2), largest)
        if (witness.chance.isTrue(0.7)) yield* witness.sync(of, log)
      }),
    { concurrency: "unbounded", discard: true }
  )

const append: Workload = {
  name: "append",
  run: (witness) =>
    Effect.gen(function* () {
      const store = yield* openStore(witness.system, witness.trace.disk)
      const identity = { clusterId: undefined, nodeId: 3 }
      yield* witness.spanned(witness.claims, { identity, begun: witness.now, answered: undefined }, store.claim(identity))
      witness.directoryId = { at: witness.now, id: store.directories[0]?.id() }
      const one = yield* opened(witness, store, largeConfig)
      const other = yield* opened(witness, store, largeConfig, otherTopicId, 7)
      yield* Effect.all([producers(witness, one.of, one.log, 4, 6000), producers(witness, other.of, other.log, 3, 200)], { concurrency: "unbounded" })
      const named = { clusterId: "c1", nodeId: 3 }
      yield* witness.spanned(witness.claims, { identity: named, begun: witness.now, answered: undefined }, store.claim(named))
      yield* putSome(witness, one.of, one.log, 2, 6000)
    })
}

/**
 * Logs of one directory share their syncs; one of them is on another volume, and syncs by itself. Sometimes the shared sync fails: then each log is synced by
 * itself, and the one whose file could not be written reports it.
 */
const shared: Workload = {
  name: "shared-sync",
  pointsEvery: 13,
  run: (witness) =>
    Effect.gen(function* () {
      const { chance, system, trace } = witness
      for (let lives = 2; lives > 0; lives--)
        yield* Effect.scoped(
          Effect.gen(function* () {
            trace.volume.elsewhere = [`${root}/${otherTopicId}-7`]
            const store = yield* openStore(system, trace.disk, sharing)
            const config = chance.pick([largeConfig, largeConfig, smallConfig])
            const logs = [
              yield* opened(witness, store, config),
              yield* opened(witness, store, largeConfig, topicId, 1),
              yield* opened(witness, store, largeConfig, otherTopicId, 7)
            ]
            for (let rounds = 4; rounds > 0; rounds--) {
              if (lives === 1 && rounds === 2 && chance.isTrue(0.5)) trace.volume.failRound = { suffix: ".log", left: 1 }
              const producing = logs.map(({ log, of }) => producers(witness, of, log, 3, 300))
              yield* Effect.all(producing.map(Effect.ignore), { concurrency: "unbounded", discard: true })
            }
          })
        )
    })
}

const roll: Workload = {
  name: "roll",
  run: (witness) =>
    Effect.gen(function* () {
      const store = yield* openStore(witness.system, witness.trace.disk)
      const { log, of } = yield* opened(witness, store, smallConfig)
      for (let rounds = 3; rounds > 0; rounds--) {
        yield* producers(witness, of, log, 3, 900)
        yield* putSome(witness, of, log, 3, 900)
      }
    })
}

const retention: Workload = {
  name: "retention",
  run: (witness) =>
    Effect.gen(function* () {
      const store = yield* openStore(witness.system, witness.trace.disk)
      const { log, of } = yield* opened(witness, store, smallConfig)
      for (let rounds = 2; rounds > 0; rounds--) {
        yield* putSome(witness, of, log, 8, 900)
        yield* witness.sync(of, log)
        const before = log.end() - witness.chance.below(4)
        const span = { before, start: 0, begun: witness.now, answered: undefined }
        const deleting = Effect.tap(log.deleteBefore(before), () => Effect.sync(() => void (span.start = log.start())))
        yield* Effect.all([witness.spanned(of.deleted, span, deleting), producers(witness, of, log, 2, 300)], { concurrency: "unbounded" })
      }
    })
}

const checkpoints: Workload = {
  name: "checkpoint",
  run: (witness) =>
    Effect.gen(function* () {
      const store = yield* openStore(witness.system, witness.trace.disk)
      for (const name of ["state-1", "other"]) witness.documents.set(name, [])
      for (let version = 0; version < 4; version++)
        for (const [name, list] of witness.documents) {
          const value = `${name} ${version} ${"x".repeat(witness.chance.pick([0, 300, 5000]))}`
          yield* witness.spanned(list, { value, begun: witness.now, answered: undefined }, store.writeCheckpoint(name, utf8.encode(value)))
        }
    })
}

const bytesOf = (tree: Tree): number => [...tree.values()].reduce((sum, each) => sum + (each instanceof Uint8Array ? each.length : bytesOf(each)), 0)

/** On a full disk the store writes a document over its older slot; one that does not fit is refused, and the stored one is retained. */
const fullCheckpoint: Workload = {
  name: "full-checkpoint",
  run: (witness) =>
    Effect.gen(function* () {
      const store = yield* openStore(witness.system, witness.trace.disk)
      const list: Array<DocumentWitness> = []
      witness.documents.set("state-1", list)
      for (let version = 0; version < 6; version++) {
        witness.trace.capacityBytes = version === 0 || witness.chance.isTrue(0.3) ? Number.POSITIVE_INFINITY : bytesOf(witness.trace.tree())
        const value = `state-1 ${version} ${"x".repeat(witness.chance.pick([1500, 1500, 1400, 2600]))}`
        yield* Effect.ignore(witness.spanned(list, { value, begun: witness.now, answered: undefined }, store.writeCheckpoint("state-1", utf8.encode(value))))
      }
    })
}

const removal: Workload = {
  name: "removal",
  run: (witness) =>
    Effect.gen(function* () {
      const store = yield* openStore(witness.system, witness.trace.disk)
      const outer = yield* Effect.scope
      const scope = yield* Scope.fork(outer, ExecutionStrategy.sequential)
      const doomed = yield* Scope.extend(opened(witness, store, smallConfig), scope)
      const kept = yield* opened(witness, store, smallConfig, otherTopicId)
      yield* putSome(witness, doomed.of, doomed.log, 4, 900)
      yield* witness.sync(doomed.of, doomed.log)
      yield* putSome(witness, doomed.of, doomed.log, 1, 900)
      yield* Effect.all([producers(witness, kept.of, kept.log, 2, 400), Scope.close(scope, Exit.void)], { concurrency: "unbounded" })
      const span = { begun: witness.now, answered: undefined }
      doomed.of.removed = span
      yield* witness.spanned([], span, store.remove(topicId, 0))
      yield* producers(witness, kept.of, kept.log, 2, 400)
    })
}

/** Closes and reopens the log, so that the record has clean closes and recoveries, too. */
const reopen: Workload = {
  name: "reopen",
  run: (witness) =>
    Effect.gen(function* () {
      const config = witness.chance.pick([smallConfig, largeConfig])
      for (let lives = 3; lives > 0; lives--)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* openStore(witness.system, witness.trace.disk)
            const { log, of } = yield* opened(witness, store, config)
            yield* producers(witness, of, log, 3, 900)
            yield* putSome(witness, of, log, witness.chance.below(2), 900)
          })
        )
    })
}

/** A sync fails and the log closes; the next opening writes again what the kernel dropped, and appends continue. */
const failedSync: Workload = {
  name: "failed-sync",
  run: (witness) =>
    Effect.gen(function* () {
      for (let lives = 2; lives > 0; lives--)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* openStore(witness.system, witness.trace.disk)
            const { log, of } = yield* opened(witness, store, smallConfig)
            yield* putSome(witness, of, log, 2, 600)
            yield* witness.sync(of, log)
            if (lives === 2) witness.trace.failSync = { suffix: ".log", left: 1 }
            yield* putSome(witness, of, log, 2, 600)
            yield* Effect.ignore(witness.sync(of, log))
            if (lives === 2) yield* Effect.ignore(producers(witness, of, log, 2, 300))
          })
        )
    })
}

/** Writes that do not fit are undone; smaller ones after them succeed. */
const fullDisk: Workload = {
  name: "full-disk",
  run: (witness) =>
    Effect.gen(function* () {
      const store = yield* openStore(witness.system, witness.trace.disk)
      const { log, of } = yield* opened(witness, store, largeConfig)
      yield* putSome(witness, of, log, 2, 300)
      yield* witness.sync(of, log)
      for (let rounds = 2; rounds > 0; rounds--) {
        const used = of.appended.reduce((sum, { bytes }) => sum + bytes.length, 0)
        witness.trace.capacityBytes = used + 3000 + witness.chance.below(1000)
        witness.append(of, log, [batch(log.end(), 1, 8000)])
        witness.trace.capacityBytes = Number.POSITIVE_INFINITY
        // The log refuses appends until the removal of the undone bytes is durable.
        const smaller = batch(log.end(), 1, witness.chance.between(1, 2000))
        for (let tries = 20; tries > 0 && Either.isLeft(witness.append(of, log, [smaller])); tries--) yield* Effect.yieldNow()
        if (witness.chance.isTrue(0.5)) yield* witness.sync(of, log)
      }
    })
}

/** A log of an older version has no checksum files: the scrub writes them during appends and while retention deletes segments. */
const scrubbing: Workload = {
  name: "scrub",
  run: (witness) =>
    Effect.gen(function* () {
      const { disk } = witness.trace
      for (let lives = 3; lives > 0; lives--)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* openStore(witness.system, disk)
            const { log, of } = yield* opened(witness, store, smallConfig)
            const producing = Effect.zipRight(witness.sync(of, log), producers(witness, of, log, 3, 900))
            yield* Effect.all([producing, lives === 3 ? Effect.void : scrub(store)], { concurrency: "unbounded" })
            const before = log.end() - witness.chance.between(3, 12)
            const span = { before, start: 0, begun: witness.now, answered: undefined }
            const deleting = Effect.tap(log.deleteBefore(before), () => Effect.sync(() => void (span.start = log.start())))
            yield* Effect.all([witness.chance.isTrue(0.5) ? witness.spanned(of.deleted, span, deleting) : Effect.void, scrub(store)], {
              concurrency: "unbounded"
            })
          })
        ).pipe(Effect.zipRight(lives === 3 ? withoutChecksums(disk) : Effect.void))
    })
}
const withoutChecksums = (disk: Disk): Effect.Effect<void, unknown> =>
  Effect.suspend(() => {
    const directory = `${root}/${topicId}-0`
    for (const name of disk.list(directory)) if (name.endsWith(".checksum")) disk.unlink(`${directory}/${name}`)
    return disk.syncDirectory(directory)
  })

const entryOf = (text: string) => ({ commandId: `c-${text}`, actor: "leader", cause: "test", type: "Told", value: utf8.encode(text) })

const journal: Workload = {
  name: "journal",
  run: (witness) =>
    Effect.gen(function* () {
      const seen = witness.journal
      for (let lives = 2; lives > 0; lives--) {
        const store = Layer.scoped(LogStore, openStore(witness.system, witness.trace.disk))
        const live = Effect.gen(function* () {
          const held = yield* Journal
          const { end, epoch } = yield* held.campaign(journalStream, { nodeId: 0 })
          seen.epochs.push({ at: witness.now, epoch })
          let at = end
          for (let appends = witness.chance.between(3, 5); appends > 0; appends--) {
            const texts = Array.from({ length: witness.chance.between(1, 3) }, (_, i) => `${at + i}-${"y".repeat(witness.chance.pick([5, 400, 3000]))}`)
            seen.entries.push(...texts)
            yield* held.append(journalStream, epoch, at, texts.map(entryOf))
            at += texts.length
            seen.answered.push({ at: witness.now, end: at })
            if (!witness.chance.isTrue(0.4)) continue
            const snapshot = { index: at, value: `state at ${at} ${"z".repeat(witness.chance.pick([0, 2000]))}` }
            const saving = held.saveSnapshot(journalStream, { index: snapshot.index, value: utf8.encode(snapshot.value) })
            yield* witness.spanned(seen.snapshots, { ...snapshot, begun: witness.now, answered: undefined }, saving)
            if (witness.chance.isTrue(0.6))
              yield* witness.spanned(seen.trims, { index: at, begun: witness.now, answered: undefined }, held.trim(journalStream, at))
          }
        })
        yield* Effect.scoped(Effect.provide(live, Layer.provide(journalLayer, store)))
      }
    })
}

/** Producers and epochs beside the log, through rolls, deletions and closes. */
const derived: Workload = {
  name: "derived",
  run: (witness) =>
    Effect.gen(function* () {
      const config = { ...smallConfig, segmentBytesMax: 600 }
      const fold = new Fold()
      for (let lives = 3; lives > 0; lives--)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* openStore(witness.system, witness.trace.disk)
            const { log, of } = yield* opened(witness, store, config)
            of.isDerived = true
            log.derived.keep(fold)
            for (let rounds = witness.chance.between(1, 3); rounds > 0; rounds--) {
              yield* putDerived(witness, of, log, fold, witness.chance.between(1, 8))
              if (witness.chance.isTrue(0.5)) yield* witness.sync(of, log)
              if (!witness.chance.isTrue(0.4)) continue
              const span = { before: log.end(), start: 0, begun: witness.now, answered: undefined }
              const deleting = Effect.tap(log.deleteBefore(span.before), () => Effect.sync(() => void (span.start = log.start())))
              yield* witness.spanned(of.deleted, span, deleting)
            }
          })
        )
    })
}

export const workloads: ReadonlyArray<Workload> = [
  append,
  shared,
  roll,
  retention,
  checkpoints,
  fullCheckpoint,
  removal,
  reopen,
  truncate,
  restart,
  failedSync,
  fullDisk,
  scrubbing,
  journal,
  compaction,
  derived
]
