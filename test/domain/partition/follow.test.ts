import { describe, expect, test } from "bun:test"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import {
  answered,
  cutAt,
  type FetchResponse,
  fetchSent,
  follow,
  heard,
  type NextFetch,
  nextFetch,
  wasAppended,
  wasCut,
  wasSynced
} from "../../../domain/partition/follow.ts"

const one = 1 as BrokerId
const starts = [
  { epoch: 1, offset: 0 },
  { epoch: 3, offset: 40 },
  { epoch: 4, offset: 80 }
]
const fresh = follow(one, 5, { end: 100, syncedEnd: 100, lastEpoch: 4, highWatermark: 70 })
const sent = nextFetch(fresh) as NextFetch
const waiting = fetchSent(fresh)
const records = (highWatermark: number): FetchResponse => ({ _tag: "records", highWatermark, logStart: 0, count: 1 })
const diverging = (epoch: number, endOffset: number): FetchResponse => ({ _tag: "diverging", diverging: { epoch, endOffset } })

describe("fetches", () => {
  test("the position is the own end and the epoch of the last record", () =>
    expect(sent).toEqual({ leaderEpoch: 5, offset: 100, lastFetchedEpoch: 4, fetch: 1 }))
  test("none without a leader, while one is under way, or while records are not synced", () => {
    expect(nextFetch(follow(-1, 5, { end: 0, syncedEnd: 0, lastEpoch: -1, highWatermark: 0 }))).toBeUndefined()
    expect(nextFetch(waiting)).toBeUndefined()
    const grown = wasAppended(answered(waiting, sent, records(70), starts).state, 110, 5)
    expect(nextFetch(grown)).toBeUndefined()
    expect(nextFetch(wasSynced(grown, 110))).toMatchObject({ offset: 110, lastFetchedEpoch: 5, fetch: 2 })
  })
})

describe("answers", () => {
  test("KAFKA-7786: one to another epoch, position or fetch is ignored", () => {
    const later = fetchSent(follow(one, 6, { end: 100, syncedEnd: 100, lastEpoch: 4, highWatermark: 70 }, waiting.fetch))
    for (const state of [later, wasCut(waiting, 90, 4), fetchSent({ ...waiting, isWaiting: false }), { ...waiting, isWaiting: false }])
      expect(answered(state, sent, records(100), starts)).toEqual({ state, action: { _tag: "ignore" } })
  })
  test("KIP-101, KIP-279: the cut is at the leader's end of the epoch, or the own end of that epoch, and not at the high watermark", () => {
    expect(answered(waiting, sent, diverging(4, 90), starts).action).toEqual({ _tag: "cut", offset: 90 })
    expect(answered(waiting, sent, diverging(3, 60), starts).action).toEqual({ _tag: "cut", offset: 60 })
    expect(answered(waiting, sent, diverging(3, 95), starts).action).toEqual({ _tag: "cut", offset: 80 })
    expect(answered(waiting, sent, diverging(2, 50), starts).action).toEqual({ _tag: "cut", offset: 40 })
    expect(cutAt([{ epoch: 4, offset: 10 }], 20, { epoch: 2, endOffset: 15 })).toBe(10)
    expect(cutAt([], 0, { epoch: 2, endOffset: 15 })).toBe(0)
  })
  test("KAFKA-14704: the high watermark is raised after the alignment, to the own end at most, and falls with a cut alone", () => {
    expect(heard(fresh, 100).highWatermark).toBe(70)
    const cut = wasCut(answered(waiting, sent, diverging(3, 60), starts).state, 60, 3)
    expect([cut.highWatermark, heard(cut, 100).highWatermark]).toEqual([60, 60])
    const aligned = answered(waiting, sent, records(120), starts).state
    expect([heard(aligned, 120).highWatermark, heard(heard(aligned, 90), 80).highWatermark]).toEqual([100, 90])
    expect(heard(wasAppended(aligned, 110, 5), 120).highWatermark).toBe(110)
  })
  test("KIP-392: consumers read what the present leader has called committed, once the log is aligned", () => {
    expect([fresh.readable, heard(fresh, 100).readable]).toEqual([undefined, undefined])
    const aligned = answered(waiting, sent, records(60), starts).state
    // Below the high watermark of before, which an unclean election may have ended.
    expect(heard(aligned, 60)).toMatchObject({ highWatermark: 70, readable: 60 })
    expect([heard(heard(aligned, 60), 50).readable, heard(heard(aligned, 60), 300).readable]).toEqual([60, 100])
    const again = fetchSent(heard(aligned, 60))
    for (const answer of [diverging(3, 60), { _tag: "out of range", logStart: 500 } as const])
      expect(answered(again, nextFetch(heard(aligned, 60)) as NextFetch, answer, starts).state).toMatchObject({ isAligned: false, readable: undefined })
    expect(follow(one, 6, aligned).readable).toBeUndefined()
  })
  test("KAFKA-7414, KAFKA-6975: a log that ends before the leader's begins is restarted; following does not end", () => {
    const { action, state } = answered(waiting, sent, { _tag: "out of range", logStart: 500 }, starts)
    expect(action).toEqual({ _tag: "restart", logStart: 500 })
    expect(nextFetch(wasCut(state, 480, -1))).toMatchObject({ offset: 480, lastFetchedEpoch: -1 })
    expect(answered(waiting, sent, { _tag: "out of range", logStart: 50 }, starts).action).toEqual({ _tag: "ignore" })
    // An empty log behind the end of a leader that was elected uncleanly: no epoch says where they part.
    const empty = { ...waiting, lastEpoch: -1 }
    expect(answered(empty, sent, { _tag: "out of range", logStart: 50 }, []).action).toEqual({ _tag: "restart", logStart: 50 })
  })
  test("KAFKA-8346, librdkafka 4401: a failed fetch is sent again", () => {
    const { action, state } = answered(waiting, sent, { _tag: "failed" }, starts)
    expect([action, nextFetch(state)?.offset]).toEqual([{ _tag: "ignore" }, 100])
  })
  test("Redpanda 2937: the synced end falls with a cut", () => expect(wasCut(waiting, 60, 3)).toMatchObject({ end: 60, syncedEnd: 60, lastEpoch: 3 }))
})
