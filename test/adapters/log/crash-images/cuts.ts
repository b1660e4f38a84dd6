import { Effect, Either } from "effect"
import { emptyLog } from "../../../../domain/log/append.ts"
import type { RecordBatch } from "../../../../domain/log/batch.ts"
import type { LogFault, PartitionLog } from "../../../../src/ports/log-store.ts"
import { batchesIn, smallConfig, topicId } from "../../../src/ports/log-batches.ts"
import { compactedConfig, compactedProblems, putKeyed, round } from "./compaction.ts"
import { derivedProblems, Fold, putDerived } from "./derived.ts"
import type { Workload } from "./workloads.ts"
import { type LogWitness, openStore, type Witness } from "./world.ts"

const config = { ...smallConfig, segmentBytesMax: 700 }

/** The batches that a reader finds; the log serves those at its end from memory, as it does for a consumer at the end. */
const readAll = (log: PartitionLog): ReadonlyArray<RecordBatch> => {
  const all: Array<RecordBatch> = []
  for (let from = log.start(); from < log.end(); ) {
    const some = batchesIn(Either.getOrThrow(log.read(from, 5000, log.end())))
    all.push(...some)
    from = some.at(-1)?.nextOffset ?? Number.POSITIVE_INFINITY
  }
  return all
}

/** What must hold in the process that truncated the log: reads, derived state, and the files beside the last segment. */
const live = (witness: Witness, of: LogWitness, log: PartitionLog): Effect.Effect<void> =>
  Effect.gen(function* () {
    const found = yield* Effect.catchAllDefect(
      Effect.sync(() => readAll(log)),
      (defect) => Effect.sync(() => void witness.problems.push(`the log cannot be read after a cut: ${String(defect)}`))
    )
    if (found === undefined) return
    if (of.compacted.length > 0) witness.problems.push(...compactedProblems(log, of, witness.now))
    else {
      const expected = of.appended.filter(({ baseOffset }) => baseOffset >= log.start())
      const isSame = found.length === expected.length && found.every(({ bytes }, i) => Buffer.compare(bytes, (expected[i] as RecordBatch).bytes) === 0)
      if (!isSame) witness.problems.push(`L2: after a cut readers find other batches from ${log.start()} to ${log.end()} than there are`)
    }
    const ahead = log.derived.snapshots.find(({ offset }) => offset > log.end())
    if (ahead !== undefined) witness.problems.push(`a snapshot at ${ahead.offset} is ahead of the log, which ends at ${log.end()}`)
    if (of.isDerived) witness.problems.push(...(yield* derivedProblems(log, of)))
  })

/** A reader stays at the end, so that the log keeps the newest batches in memory. */
const tail = (log: PartitionLog): void => void log.read(log.end(), 1000, log.end())

/** Any offset, the beginning of a segment, or one that is near the end. */
const somewhere = ({ chance }: Witness, log: PartitionLog): number => {
  const bases = log.segments().map(({ baseOffset }) => baseOffset)
  const between = chance.between(log.start(), Math.max(log.start(), log.end() - 1))
  return chance.pick([between, between, chance.pick(bases), Math.max(log.start(), log.end() - chance.between(1, 6))])
}

const afterCut = (witness: Witness, of: LogWitness, log: PartitionLog): Effect.Effect<Fold> =>
  Effect.gen(function* () {
    yield* live(witness, of, log)
    // As the partition's owner does: it folds the derived state again and begins a new leader epoch.
    const fold = new Fold(of.appended)
    fold.state = { ...fold.state, end: log.end() }
    fold.starts.note((fold.starts.latest ?? 0) + 1, log.end())
    log.derived.keep(fold)
    return fold
  })

/** Records a leader epoch without records, truncates it for a leader that does not know it, then appends records of an older epoch. */
const emptyEpoch = (witness: Witness, of: LogWitness, log: PartitionLog, fold: Fold): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    const empty = { epoch: (fold.starts.latest ?? 0) + 3, offset: log.end() }
    log.derived.keep({ snapshot: fold.snapshot, epochs: () => [...fold.epochs(), ...(log.end() === empty.offset ? [empty] : [])] })
    const span = { before: log.end(), start: 0, begun: witness.now, answered: undefined }
    yield* witness.spanned(
      of.deleted,
      span,
      Effect.tap(log.deleteBefore(span.before), () => Effect.sync(() => void (span.start = log.start())))
    )
    yield* witness.cut(of, log, log.end(), "truncate")
    log.derived.keep(fold)
    yield* putDerived(witness, of, log, fold, 2)
    yield* witness.sync(of, log)
  })

const derivedLife = (witness: Witness, isLast: boolean) =>
  Effect.gen(function* () {
    const { chance } = witness
    const store = yield* openStore(witness.system, witness.trace.disk)
    const log = yield* store.open(topicId, 0, config)
    const of = witness.log(topicId, 0, config)
    of.isDerived = true
    // The next opening finishes a truncation whose sync failed.
    witness.cutAnswered(of)
    let fold = new Fold(of.appended)
    fold.state = { ...fold.state, end: log.end() }
    log.derived.keep(fold)
    for (let rounds = chance.between(1, 2); rounds > 0; rounds--) {
      tail(log)
      yield* putDerived(witness, of, log, fold, chance.between(2, 6))
      if (chance.isTrue(0.5)) yield* witness.sync(of, log)
      const fails = chance.isTrue(0.25)
      if (fails) yield* witness.sync(of, log)
      if (fails) witness.trace.failSync = { suffix: ".log", left: 1 }
      const before = log.end()
      const to = somewhere(witness, log)
      const done = yield* Effect.either(witness.cut(of, log, to, "truncate", fails))
      witness.trace.failSync = undefined
      if (Either.isLeft(done)) return
      fold = yield* afterCut(witness, of, log)
      yield* putDerived(witness, of, log, fold, chance.between(1, 3))
      // Beyond the truncated end: recovery must not take remains of truncated batches for new ones.
      const isPast = chance.isTrue(0.5)
      while (isPast && log.end() <= before) yield* putDerived(witness, of, log, fold, 1)
      yield* live(witness, of, log)
      if (chance.isTrue(0.6)) yield* witness.sync(of, log)
    }
    if (isLast) yield* emptyEpoch(witness, of, log, fold)
  })

/** Truncates a compacted range: its compaction notes are removed, and must not excuse gaps in later segments. */
const compactedLife = (witness: Witness) =>
  Effect.gen(function* () {
    const { chance } = witness
    const known = witness.logs[0]?.config ?? { ...compactedConfig(witness), segmentBytesMax: 500 }
    const store = yield* openStore(witness.system, witness.trace.disk)
    const log = yield* store.open(topicId, 0, known)
    const of = witness.log(topicId, 0, known)
    yield* putKeyed(witness, of, log, 6)
    yield* round(witness, of, log)
    const clean = log.cleanEnd()
    yield* witness.cut(of, log, chance.isTrue(0.7) ? chance.between(log.start(), Math.max(log.start(), clean)) : somewhere(witness, log), "truncate")
    yield* live(witness, of, log)
    yield* putKeyed(witness, of, log, chance.between(2, 5))
    if (chance.isTrue(0.5)) yield* witness.sync(of, log)
    yield* live(witness, of, log)
  })

/** A follower truncates what its leader does not have, appends from there, and truncates again. */
export const truncate: Workload = {
  name: "truncate",
  pointsEvery: 7,
  run: (witness) =>
    Effect.gen(function* () {
      const isCompacted = witness.chance.isTrue(0.35)
      if (isCompacted) yield* Effect.scoped(compactedLife(witness))
      else for (let lives = 2; lives > 0; lives--) yield* Effect.scoped(derivedLife(witness, lives === 1))
    })
}

/** A follower restarts its log at its leader's log start offset, before or after its own range. */
export const restart: Workload = {
  name: "restart",
  pointsEvery: 5,
  run: (witness) =>
    Effect.gen(function* () {
      const { chance } = witness
      for (let lives = 2; lives > 0; lives--)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* openStore(witness.system, witness.trace.disk)
            const log = yield* store.open(topicId, 0, config)
            const of = witness.log(topicId, 0, config)
            of.isDerived = true
            let fold = new Fold(of.appended)
            fold.state = { ...fold.state, end: log.end() }
            log.derived.keep(fold)
            for (let rounds = chance.between(1, 2); rounds > 0; rounds--) {
              tail(log)
              yield* putDerived(witness, of, log, fold, chance.between(1, 5))
              if (chance.isTrue(0.5)) yield* witness.sync(of, log)
              const bases = log.segments().map(({ baseOffset }) => baseOffset)
              const at = chance.pick([chance.below(log.end() + 1), log.end() + chance.below(60), chance.pick(bases)])
              yield* witness.cut(of, log, at, "restart")
              yield* live(witness, of, log)
              fold = new Fold()
              fold.state = { ...emptyLog, end: at }
              fold.starts.note(chance.below(4), at)
              log.derived.keep(fold)
              yield* putDerived(witness, of, log, fold, chance.between(1, 5))
              yield* live(witness, of, log)
              if (chance.isTrue(0.6)) yield* witness.sync(of, log)
            }
          })
        )
    })
}
