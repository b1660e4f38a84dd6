import { Findings, type Violation } from "./violation.ts"

/** A batch as far as replicas are compared: equal for two batches with the same bytes. */
export interface BatchMark {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly leaderEpoch: number
  readonly crc: number
}

/** A broker's replica of a partition at one moment. */
export interface ReplicaSeen {
  readonly broker: number
  /** Its log as it is written. */
  readonly written: ReadonlyArray<BatchMark>
  /** What a power cut leaves of it at least. */
  readonly durable: ReadonlyArray<BatchMark>
  /** Where that log starts, also where it has no batch; undefined where there is none. */
  readonly durableStart: number | undefined
  /** Under which epoch it believes that it leads, and its high watermark then; undefined where it does not. */
  readonly leads: { readonly leaderEpoch: number; readonly highWatermark: number } | undefined
}

/** A partition at one moment: its in-sync set and its ELR by the journal, and the replicas whose disks can be trusted. */
export interface PartitionSeen {
  readonly name: string
  readonly isr: ReadonlyArray<number>
  readonly elr: ReadonlyArray<number>
  readonly replicas: ReadonlyArray<ReplicaSeen>
}

const same = (one: BatchMark | undefined, other: BatchMark): boolean =>
  one !== undefined &&
  one.baseOffset === other.baseOffset &&
  one.lastOffset === other.lastOffset &&
  one.leaderEpoch === other.leaderEpoch &&
  one.crc === other.crc
const shown = (mark: BatchMark | undefined): string =>
  mark === undefined ? "nothing" : `${mark.baseOffset} to ${mark.lastOffset} of epoch ${mark.leaderEpoch} (${mark.crc.toString(16)})`
const byOffset = (marks: ReadonlyArray<BatchMark>): ReadonlyMap<number, BatchMark> => new Map(marks.map((mark) => [mark.baseOffset, mark]))

/**
 * R3, StrongIsr: whatever replica believes that it leads, each one that may lead next has on its disk what is below that replica's high watermark: the members of the in-sync set
 * and of the ELR.
 */
export const strongIsr = ({ elr, isr, name, replicas }: PartitionSeen): ReadonlyArray<Violation> => {
  const findings = new Findings("R3")
  for (const leader of replicas) {
    const { leads } = leader
    if (leads === undefined) continue
    for (const member of replicas) {
      if (!isr.includes(member.broker) && !elr.includes(member.broker)) continue
      const there = byOffset(member.durable)
      // The beginning may have been deleted on one of them, and not yet on the other.
      const start = member.durable[0]?.baseOffset ?? member.durableStart ?? 0
      for (const mark of leader.written) {
        if (mark.baseOffset < start || mark.lastOffset >= leads.highWatermark || same(there.get(mark.baseOffset), mark)) continue
        findings.add(
          `${name}: broker ${leader.broker} leads epoch ${leads.leaderEpoch} with the high watermark ${leads.highWatermark}, and has ${shown(mark)}; broker ${member.broker} may lead next (in sync ${isr}; ELR ${elr}), and its disk has ${shown(there.get(mark.baseOffset))}`
        )
        break
      }
    }
  }
  return findings.list
}

/** The last batch that both have, by its offset and epoch. */
const lastCommon = (one: ReadonlyArray<BatchMark>, other: ReadonlyMap<number, BatchMark>): BatchMark | undefined =>
  one.findLast(({ baseOffset, leaderEpoch }) => other.get(baseOffset)?.leaderEpoch === leaderEpoch)

/** R4, log matching: where two replicas have a batch of one offset and epoch, all up to there is equal. */
export const logMatching = ({ name, replicas }: PartitionSeen): ReadonlyArray<Violation> => {
  const findings = new Findings("R4")
  for (const [nth, one] of replicas.entries())
    for (const other of replicas.slice(nth + 1)) {
      const there = byOffset(other.written)
      const common = lastCommon(one.written, there)
      if (common === undefined) continue
      const start = other.written[0]?.baseOffset ?? 0
      const wrong = one.written.find((mark) => mark.baseOffset >= start && mark.baseOffset <= common.baseOffset && !same(there.get(mark.baseOffset), mark))
      if (wrong !== undefined)
        findings.add(
          `${name}: brokers ${one.broker} and ${other.broker} both have ${shown(common)}; before it the one has ${shown(wrong)}, the other ${shown(there.get(wrong.baseOffset))}`
        )
    }
  return findings.list
}

/** R6: an answer to acks=all names an offset; the record is on the disks of `minIsr` replicas. `leader`: who answers. */
export const ackedOnDisks = ({ name, replicas }: PartitionSeen, leader: number, offset: number, minIsr: number): ReadonlyArray<Violation> => {
  const findings = new Findings("R6")
  const holds = ({ baseOffset, lastOffset }: BatchMark): boolean => baseOffset <= offset && offset <= lastOffset
  const mark = replicas.find(({ broker }) => broker === leader)?.written.find(holds)
  // It was deleted meanwhile.
  if (mark === undefined) return findings.list
  const with_ = replicas.filter(({ durable }) => same(durable.find(holds), mark)).map(({ broker }) => broker)
  if (with_.length < minIsr)
    findings.add(
      `${name}@${offset} is acknowledged by broker ${leader} with acks=all; it is on the disks of brokers ${with_.join(", ") || "none"}, and min.insync.replicas is ${minIsr}`
    )
  return findings.list
}
