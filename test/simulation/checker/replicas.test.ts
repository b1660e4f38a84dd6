import { expect, test } from "bun:test"
import { ackedOnDisks, type BatchMark, logMatching, type PartitionSeen, type ReplicaSeen, strongIsr } from "./replicas.ts"

const mark = (baseOffset: number, leaderEpoch = 0, crc = baseOffset): BatchMark => ({ baseOffset, lastOffset: baseOffset, leaderEpoch, crc })
const log = (count: number): ReadonlyArray<BatchMark> => Array.from({ length: count }, (_, offset) => mark(offset))
const replica = (broker: number, written: ReadonlyArray<BatchMark>, more: Partial<ReplicaSeen> = {}): ReplicaSeen => ({
  broker,
  written,
  durable: written,
  durableStart: written[0]?.baseOffset,
  leads: undefined,
  ...more
})
const seen = (...replicas: ReadonlyArray<ReplicaSeen>): PartitionSeen => ({ name: "t-0", isr: [1, 2], elr: [], replicas })
const leads = (highWatermark: number) => ({ leads: { leaderEpoch: 0, highWatermark } })

test("R3: each in-sync member has on its disk what is below the high watermark of every replica that believes it leads", () => {
  expect(strongIsr(seen(replica(1, log(4), leads(3)), replica(2, log(3)), replica(3, log(0))))).toEqual([])
  expect(strongIsr(seen(replica(1, log(4), leads(3)), replica(2, log(2))))).toHaveLength(1)
  expect(strongIsr(seen(replica(1, log(4), leads(3)), replica(2, log(3), { durable: log(2) })))).toHaveLength(1)
  expect(strongIsr(seen(replica(1, log(4), { ...leads(3), durable: log(2) }), replica(2, log(3))))).toHaveLength(1)
  expect(strongIsr(seen(replica(3, log(4), leads(3)), replica(1, log(3)), replica(2, [mark(0), mark(1), mark(2, 1)])))).toHaveLength(1)
})
test("R3: so has each member of the ELR", () => {
  const partition = { ...seen(replica(1, log(4), leads(3)), replica(2, log(2)), replica(3, log(3))), isr: [1] }
  expect(strongIsr({ ...partition, elr: [3] })).toEqual([])
  expect(strongIsr({ ...partition, elr: [2] })).toHaveLength(1)
})
test("R3: a member that has deleted its first records has the others", () => {
  expect(strongIsr(seen(replica(1, log(4), leads(3)), replica(2, log(3).slice(1))))).toEqual([])
  expect(strongIsr(seen(replica(1, log(4), leads(3)), replica(2, [mark(1), mark(2, 0, 9)])))).toHaveLength(1)
  // It deleted all of them, and its log continues behind them; a log that is gone begins nowhere.
  expect(strongIsr(seen(replica(1, log(4), leads(3)), replica(2, [], { durableStart: 3 })))).toEqual([])
  expect(strongIsr(seen(replica(1, log(4), leads(3)), replica(2, [], { durableStart: 2 })))).toHaveLength(1)
  expect(strongIsr(seen(replica(1, log(4), leads(3)), replica(2, [])))).toHaveLength(1)
})

test("R4: replicas that have a batch of one offset and epoch are equal up to there; behind it they may differ", () => {
  expect(logMatching(seen(replica(1, log(3)), replica(2, [...log(3), mark(3, 1)])))).toEqual([])
  expect(logMatching(seen(replica(1, [...log(3), mark(3, 1)]), replica(2, [...log(3), mark(3, 2)])))).toEqual([])
  expect(logMatching(seen(replica(1, [mark(0), mark(1, 1), mark(2, 2)]), replica(2, [mark(0), mark(1, 0), mark(2, 2)])))).toHaveLength(1)
  expect(logMatching(seen(replica(1, [mark(0), mark(1, 0, 7)]), replica(2, log(2))))).toHaveLength(1)
})

test("R6: an acknowledged record is on the disks of min.insync.replicas replicas", () => {
  const two = seen(replica(1, log(3)), replica(2, log(3)))
  expect(ackedOnDisks(two, 1, 2, 2)).toEqual([])
  expect(ackedOnDisks(two, 1, 2, 3)).toHaveLength(1)
  expect(ackedOnDisks(seen(replica(1, log(3)), replica(2, log(3), { durable: log(2) })), 1, 2, 2)).toHaveLength(1)
  expect(ackedOnDisks(seen(replica(1, log(3)), replica(2, [...log(2), mark(2, 1)])), 1, 2, 2)).toHaveLength(1)
  // Deleted meanwhile.
  expect(ackedOnDisks(seen(replica(1, log(3).slice(1)), replica(2, [])), 1, 0, 2)).toEqual([])
})
