import { Clock, Effect, Either } from "effect"
import type { RecordBatch } from "../../../../domain/log/batch.ts"
import type { LogConfig, LogFault, PartitionLog } from "../../../../src/ports/log-store.ts"
import { batchesIn, topicId } from "../../../src/ports/log-batches.ts"
import { batchOf, type Kept, orderOf, recordsOf } from "../compaction/support.ts"
import type { Workload } from "./workloads.ts"
import { type LogWitness, openStore, type Witness } from "./world.ts"

/** A round waits for one turn of the event loop only, so that a seed gives the same order of events. */
const turnsClock: Clock.Clock = Object.assign(Object.create(Clock.make()) as Clock.Clock, { sleep: () => Effect.yieldNow() })

export const compactedConfig = (witness: Witness): LogConfig => ({
  segmentBytesMax: witness.chance.pick([700, 1500]),
  segmentMs: 604_800_000,
  indexIntervalBytes: 150,
  segmentIndexBytesMax: 10_485_760,
  fileDeleteDelayMs: 60_000
})

/** Batches of a few keys; some are so large that a segment holds no other batch. */
const keyed = (witness: Witness, log: PartitionLog): RecordBatch => {
  const { chance } = witness
  const value = () => `${chance.below(1_000_000)}${"x".repeat(chance.pick([0, 20, 20, 300]))}`
  const records = Array.from({ length: chance.between(1, 3) }, () => ({ key: `k${chance.below(7)}`, value: value() }))
  return batchOf(log.end(), { records, timestamp: 1000 + chance.below(500) })
}

export const putKeyed = (witness: Witness, of: LogWitness, log: PartitionLog, count: number): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    for (let i = 0; i < count; i++) {
      yield* witness.append(of, log, [keyed(witness, log)])
      if (i === 0 || witness.chance.isTrue(0.2)) yield* witness.sync(of, log)
    }
  })

export const round = (witness: Witness, of: LogWitness, log: PartitionLog): Effect.Effect<void, LogFault> =>
  Effect.suspend(() => {
    const to = log.segments().at(-1)?.baseOffset ?? 0
    // No tombstones here. The offset map holds few keys, so that a round may end before the range that it was asked for.
    const order = orderOf(log, { from: witness.chance.pick([0, log.cleanEnd()]), to, mapBytesMax: witness.chance.pick([120, 10_000]), ioBufferBytes: 300 })
    const span = { from: order.from, to, cleanEnd: 0, over: [...of.appended], cutAt: Number.POSITIVE_INFINITY, begun: witness.now, answered: undefined }
    const cleaning = Effect.tap(Effect.withClock(log.compact(order), turnsClock), ({ cleanEnd }) => Effect.sync(() => void (span.cleanEnd = cleanEnd)))
    return Effect.asVoid(witness.spanned(of.compacted, span, cleaning))
  })

/** Rounds of compaction during appends, and over logs that were compacted before; some are interrupted, and retention runs at the same time. */
export const compaction: Workload = {
  name: "compaction",
  run: (witness) =>
    Effect.gen(function* () {
      const settings = compactedConfig(witness)
      for (let lives = witness.chance.between(1, 2); lives > 0; lives--)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* openStore(witness.system, witness.trace.disk)
            const log = yield* store.open(topicId, 0, settings)
            const of = witness.log(topicId, 0, settings)
            yield* putKeyed(witness, of, log, 8)
            yield* Effect.all([round(witness, of, log), putKeyed(witness, of, log, 3)], { concurrency: "unbounded" })
            if (witness.chance.isTrue(0.3)) {
              const before = log.segments()[1]?.baseOffset ?? 0
              const span = { before, start: 0, begun: witness.now, answered: undefined }
              const deleting = Effect.tap(log.deleteBefore(before), () => Effect.sync(() => void (span.start = log.start())))
              yield* Effect.all([witness.spanned(of.deleted, span, deleting), round(witness, of, log)], { concurrency: "unbounded" })
            } else yield* round(witness, of, log)
          })
        )
    })
}

const keyOf = ({ header, key, offset, timestamp, value }: Kept): string => `${offset} ${timestamp} ${key} ${value} ${header}`

const readAll = (log: PartitionLog): ReadonlyArray<RecordBatch> => {
  const all: Array<RecordBatch> = []
  for (let from = log.start(); from < log.end(); ) {
    const some = batchesIn(Either.getOrThrow(log.read(from, 700, log.end())))
    all.push(...some)
    from = some.at(-1)?.nextOffset ?? Number.POSITIVE_INFINITY
  }
  return all
}

/**
 * What a log that may be compacted must hold: only appended records, the last record of each key, every record after the compacted range, and none
 * that a completed round removed.
 */
export const compactedProblems = (log: PartitionLog, of: LogWitness, at: number): ReadonlyArray<string> => {
  const name = `${of.topicId}-${of.partition}`
  const begun = of.compacted.filter((one) => one.begun <= at)
  const appended = of.appended.flatMap(recordsOf).filter(({ offset }) => offset >= log.start() && offset < log.end())
  const batches = readAll(log)
  const found = new Set(batches.flatMap(recordsOf).map(keyOf))
  const lastBefore = (over: ReadonlyArray<RecordBatch>, end: number): ReadonlyMap<string | null, number> =>
    new Map(
      over
        .flatMap(recordsOf)
        .filter(({ offset }) => offset < end)
        .map(({ key, offset }) => [key, offset])
    )
  const problems: Array<string> = []
  const rounds = begun.map(({ cutAt, over, to }) => ({ end: Math.min(to, cutAt), last: lastBefore(over, to) }))
  const must = appended.filter(({ key, offset }) => rounds.every(({ end, last }) => offset >= end || last.get(key) === offset))
  for (const record of must) if (!found.has(keyOf(record))) problems.push(`L1: ${name} has lost offset ${record.offset}, a last one of ${record.key}`)
  const may = new Set(appended.map(keyOf))
  for (const one of found) if (!may.has(one)) problems.push(`L3: ${name} holds ${one}, which was not appended`)
  for (const { answered, cleanEnd, cutAt, over } of begun) {
    if (answered === undefined || answered > at) continue
    const kept = lastBefore(over, cleanEnd)
    const back = appended.find((one) => one.offset < Math.min(cleanEnd, cutAt) && kept.get(one.key) !== one.offset && found.has(keyOf(one)))
    if (back !== undefined) problems.push(`${name} has offset ${back.offset} again, which an answered round removed`)
    if (log.cleanEnd() < Math.min(cleanEnd, cutAt)) problems.push(`${name} is clean up to ${log.cleanEnd()}, ${cleanEnd} was answered`)
  }
  for (const [i, batch] of batches.entries()) {
    const before = batches[i - 1]?.nextOffset ?? log.start()
    if (batch.baseOffset < before) problems.push(`L6: ${name} has offset ${batch.baseOffset} after ${before - 1}`)
    for (const offset of [before, batch.lastOffset]) {
      const there = batchesIn(Either.getOrThrow(log.read(offset, 0, log.end())))[0]
      if (there?.baseOffset !== batch.baseOffset) problems.push(`L6: ${name} gives ${there?.baseOffset} for offset ${offset}, ${batch.baseOffset} is next`)
    }
    const first = batches.find(({ newestRecord }) => newestRecord >= batch.newestRecord)
    const timed = Either.getOrThrow(log.batchAtTime(batch.newestRecord))
    if (timed?.baseOffset !== first?.baseOffset)
      problems.push(`L6: ${name} gives ${timed?.baseOffset} for timestamp ${batch.newestRecord}, ${first?.baseOffset} is the first`)
  }
  return problems
}
