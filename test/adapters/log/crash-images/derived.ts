import { Effect, Either } from "effect"
import { emptyLog, evolve, type LogState } from "../../../../domain/log/append.ts"
import type { RecordBatch } from "../../../../domain/log/batch.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import { encodeProducerSnapshot } from "../../../../domain/log/producer-snapshot.ts"
import type { ProducerState } from "../../../../domain/log/producer-state.ts"
import { EpochStarts } from "../../../../src/broker/partition/replica/epoch-starts.ts"
import { restore } from "../../../../src/broker/partition/replica/restore.ts"
import type { DerivedSource } from "../../../../src/ports/derived-documents.ts"
import type { PartitionLog } from "../../../../src/ports/log-store.ts"
import { makeBatch } from "../../../domain/log/make-batch.ts"
import type { LogWitness, Witness } from "./world.ts"

const now = 1000
const restoring = { crc32c, now, producerExpirationMs: Number.POSITIVE_INFINITY }

/** What a partition's owner folds from the batches of a log, including deleted batches. */
export class Fold implements DerivedSource {
  state: LogState = emptyLog
  readonly starts = new EpochStarts()

  constructor(batches: Iterable<RecordBatch> = []) {
    for (const each of batches) this.add(each)
  }
  add(batch: RecordBatch): void {
    this.state = evolve(this.state, batch, now)
    this.starts.note(batch.partitionLeaderEpoch, batch.baseOffset)
  }
  readonly snapshot = (): Uint8Array => encodeProducerSnapshot(this.state.producers, this.epochs(), crc32c)
  readonly epochs = () => this.starts.startsBefore(this.state.end)
}

/** Batches of three producers in sequence, under rising epochs. */
const nextOf = ({ chance }: Witness, { starts, state }: Fold): RecordBatch => {
  const producerId = BigInt(chance.below(3))
  const entry = [...state.producers.entries].find(([id]) => id === producerId)?.[1]
  const last = entry?.batches.at(-1)?.lastSequence ?? -1
  const leaderEpoch = (starts.latest ?? 0) + (chance.isTrue(0.15) ? 1 : 0)
  return makeBatch(chance.between(1, 3), { baseOffset: state.end, leaderEpoch, producerId, producerEpoch: 0, baseSequence: last + 1 })
}

/** As a partition's owner does: folds the derived state and stores it beside the log from here on. */
export const putDerived = (witness: Witness, of: LogWitness, log: PartitionLog, fold: Fold, count: number): Effect.Effect<void> =>
  Effect.sync(() => {
    for (let i = 0; i < count; i++) {
      const batch = nextOf(witness, fold)
      if (Either.isLeft(witness.append(of, log, [batch]))) return
      fold.add(batch)
    }
  })

const plain = ({ entries }: ProducerState): string =>
  [...entries]
    .sort(([one], [other]) => Number(one - other))
    .map(
      ([id, { batches, epoch }]) =>
        `${id} in epoch ${epoch}: ${batches.map(({ firstOffset, firstSequence, lastSequence }) => `${firstSequence}-${lastSequence}@${firstOffset}`)}`
    )
    .join("; ")

/** L4: the restored state equals that of an owner that saw every batch, including those that retention deleted. */
export const derivedProblems = (log: PartitionLog, of: LogWitness): Effect.Effect<ReadonlyArray<string>> => {
  const name = `${of.topicId}-${of.partition}`
  const end = log.end()
  const expected = new Fold(of.appended.filter(({ baseOffset }) => baseOffset < end))
  expected.starts.forgetBefore(log.start())
  return Effect.map(Effect.either(restore(log, restoring)), (restored) => {
    if (Either.isLeft(restored)) return [`${name}: ${restored.left.message}`]
    const { epochs, state } = restored.right
    epochs.forgetBefore(log.start())
    const problems: Array<string> = []
    if (plain(state.producers) !== plain(expected.state.producers))
      problems.push(`L4: ${name} knows ${plain(state.producers)} at ${end}, and it was ${plain(expected.state.producers)}`)
    for (let epoch = 0; epoch <= (expected.starts.latest ?? -1) + 1; epoch++) {
      const [found, right] = [epochs.endOf(epoch, end), expected.starts.endOf(epoch, end)]
      if (found?.endOffset !== right?.endOffset || found?.epoch !== right?.epoch)
        problems.push(`${name}: epoch ${epoch} ended at ${found?.endOffset} (${found?.epoch}), and it was ${right?.endOffset} (${right?.epoch})`)
    }
    return problems
  })
}
