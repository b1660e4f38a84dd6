import { expect, test } from "bun:test"
import { Effect } from "effect"
import fc from "fast-check"
import { Command } from "../../../../domain/cluster/command.ts"
import { answered, type Follow, fetchSent, follow, nextFetch, wasAppended, wasCut, wasSynced } from "../../../../domain/partition/follow.ts"
import { divergence } from "../../../../domain/partition/lead.ts"
import { EpochStarts } from "../../../../src/broker/partition/replica/epoch-starts.ts"
import { createReplicated, partitionOf, produce, ReplicatedWorld, until } from "./support.ts"

/** A log as the leader epochs of its records, from its start on. */
class Log {
  epochs: EpochStarts
  constructor(
    public start: number,
    public records: ReadonlyArray<number>,
    /** Epochs under which its replica led, with where each began. */
    led: ReadonlyArray<readonly [epoch: number, offset: number]> = [],
    /** The epoch of the last record that was deleted. */
    deleted?: number
  ) {
    this.epochs = new EpochStarts([], deleted)
    records.forEach((epoch, at) => {
      for (const [one, offset] of led) if (offset <= start + at && one < epoch) this.epochs.note(one, offset)
      this.epochs.note(epoch, start + at)
    })
    for (const [one, offset] of led) this.epochs.note(one, offset)
  }
  get end(): number {
    return this.start + this.records.length
  }
  get lastEpoch(): number {
    return this.epochs.lastBefore(this.end) ?? -1
  }
}

/** A follower fetches until it has the leader's log. Returns how often it was told where the logs part, and its log. */
const aligned = (leader: Log, before: Log, answersMax: number) => {
  let log = before
  let cuts = 0
  let state: Follow = follow(1 as never, 9, { end: log.end, syncedEnd: log.end, lastEpoch: log.lastEpoch, highWatermark: 0 })
  for (let n = 0; n < answersMax; n++) {
    const sent = nextFetch(state)
    if (sent === undefined) throw new Error("no fetch")
    state = fetchSent(state)
    const endOf = (epoch: number) => leader.epochs.endOf(epoch, leader.end)
    const request = { id: 2, brokerEpoch: 1, leaderEpoch: 9, offset: sent.offset, lastFetchedEpoch: sent.lastFetchedEpoch, logStart: log.start }
    const diverging = divergence({ isr: [], elr: [] }, endOf, leader.start, request)
    const isOut = sent.offset < leader.start || sent.offset > leader.end
    const reply =
      diverging !== undefined
        ? ({ _tag: "diverging", diverging } as const)
        : isOut
          ? ({ _tag: "out of range", logStart: leader.start } as const)
          : ({ _tag: "records", highWatermark: leader.end, logStart: leader.start, count: leader.end - sent.offset } as const)
    const next = answered(state, sent, reply, log.epochs.compared(log.end))
    state = next.state
    if (next.action._tag === "append") {
      const records = leader.records.slice(sent.offset - leader.start)
      log = new Log(log.start, [...log.records, ...records])
      state = wasSynced(wasAppended(state, log.end, log.lastEpoch), log.end)
      return { cuts, log, hasAll: log.end === leader.end }
    }
    cuts++
    if (next.action._tag === "cut") {
      const { offset } = next.action
      // As PartitionLog.truncateTo: an offset before the start restarts the log there.
      log = offset < log.start ? new Log(offset, []) : new Log(log.start, log.records.slice(0, offset - log.start))
    }
    if (next.action._tag === "restart") log = new Log(next.action.logStart, [])
    state = wasCut(state, log.end, log.lastEpoch)
  }
  return { cuts, log, hasAll: false }
}

interface Drawn {
  readonly common: ReadonlyArray<ReadonlyArray<number>>
  readonly leader: ReadonlyArray<ReadonlyArray<number>>
  readonly follower: ReadonlyArray<ReadonlyArray<number>>
  readonly shared: number
  readonly started: number
  readonly followerStarted: number
  readonly led: ReadonlyArray<number>
  readonly isAnew: boolean
}
const logsOf = ({ common, follower, followerStarted, isAnew, leader, led, shared, started }: Drawn) => {
  const first = common.flat()
  const [next = []] = leader
  // The follower has a part of the first epoch in which the logs part.
  const own = [...first, ...next.slice(0, shared), ...(shared >= next.length ? follower.flat() : follower.flat().filter((epoch) => epoch > (next[0] ?? 0)))]
  const all = [...first, ...leader.flat()]
  const start = Math.min(started, all.length)
  const ownStart = Math.min(followerStarted, own.length)
  return {
    // Retention may have deleted all records of the leader, with their epochs.
    leader: new Log(start, all.slice(start), [[9, all.length]]),
    // It led under some epochs after its last record.
    follower: new Log(
      ownStart,
      own.slice(ownStart),
      led.filter((epoch) => epoch > (own.at(-1) ?? -1)).map((epoch) => [epoch, own.length]),
      isAnew ? undefined : own[ownStart - 1]
    ),
    own,
    isAnew,
    all
  }
}

/** Epochs that rise, each with some records. */
const tail = (epochs: ReadonlyArray<number>) =>
  fc.subarray([...epochs]).chain((some) => fc.tuple(...some.map((epoch) => fc.integer({ min: 1, max: 4 }).map((count) => Array<number>(count).fill(epoch)))))
const history = fc
  .record({
    common: tail([0, 1, 2]),
    // An epoch is written by one leader: its records in the other log are a prefix.
    leader: tail([3, 5, 7]),
    follower: tail([4, 6, 8]),
    shared: fc.nat(4),
    started: fc.nat(12),
    followerStarted: fc.nat(3),
    led: fc.subarray([4, 6, 8]),
    /** A log that was begun anew does not know which epoch was before its start. */
    isAnew: fc.boolean()
  })
  .map(logsOf)

/** The follower's only record, of another epoch than the leader's at its offset, was deleted: few draws have that. */
const emptied = [false, true].map((isAnew): [ReturnType<typeof logsOf>] => [
  logsOf({ common: [], leader: [[3, 3]], follower: [[4]], shared: 0, started: 0, followerStarted: 1, led: [], isAnew })
])

test("KAFKA-15608, 20961, Redpanda 11360: whatever epochs a follower and its leader have, a few answers align the logs, and they are equal then", () => {
  const seen = { cuts: 0, restarts: 0, emptied: 0, anew: 0 }
  fc.assert(
    fc.property(history, ({ all, follower, isAnew, leader, own }) => {
      const { cuts, hasAll, log } = aligned(leader, follower, 20)
      expect(hasAll).toBe(true)
      // One answer for each epoch in which the logs part, and one for a start that was deleted.
      expect(cuts).toBeLessThanOrEqual(new Set(follower.records).size + 2)
      // What the leader has deleted is deleted here, too.
      const start = Math.max(log.start, leader.start)
      expect(log.records.slice(start - log.start)).toEqual(all.slice(start))
      // A log whose records were all deleted hides nothing in which its leader's differs.
      const parts = [...own, -1].findIndex((epoch, at) => epoch !== all[at])
      const isEmptied = follower.records.length === 0
      if (isEmptied) expect(log.start).toBeLessThanOrEqual(Math.max(leader.start, parts))
      if (isEmptied && parts < follower.end && leader.end >= follower.end) seen[isAnew ? "anew" : "emptied"]++
      if (cuts > 0) seen.cuts++
      if (log.start === leader.start && leader.start > follower.end) seen.restarts++
    }),
    { numRuns: 1000, examples: emptied }
  )
  expect([seen.cuts > 50, seen.restarts > 0, seen.emptied > 0, seen.anew > 0]).toEqual([true, true, true, true])
})

test("KAFKA-15608: an idle follower that led without a record fetches no more often than its wait, and stays in sync", () => {
  const world = new ReplicatedWorld()
  let packets = 0
  world.network.conditions = {
    ...world.network.conditions,
    get delayMs() {
      packets++
      return [1, 1] as const
    }
  }
  return world.run(
    Effect.gen(function* () {
      const wait = { "replica.fetch.wait.max.ms": 1000 }
      const leader = yield* world.leader()
      const first = yield* world.broker(1, wait)
      yield* world.broker(2, wait)
      yield* createReplicated(leader, [1, 2])
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      expect(yield* produce(yield* world.link(1), "record 0")).toEqual(["NONE", 0])
      // The second broker leads, and writes nothing.
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === 2)
      yield* world.broker(1, wait)
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      const command = Command.ElectLeaders({ kind: "preferred", partitions: null, commandedBy: "test" })
      yield* leader.writer.submit({ command, commandId: "elect", actor: "test", cause: "test" })
      yield* until(() => partitionOf(leader)?.leader === 1)
      yield* Effect.sleep(1000)
      const epoch = partitionOf(leader)?.partitionEpoch
      packets = 0
      yield* Effect.sleep(30_000)
      // Fetches, and heartbeats: some 10 a second. One that does not wait takes 2 ms.
      expect(packets).toBeWithin(60, 1500)
      expect(partitionOf(leader)).toMatchObject({ isr: [1, 2], partitionEpoch: epoch })
    })
  )
})
