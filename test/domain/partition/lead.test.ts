import { describe, expect, test } from "bun:test"
import { outcomeOf } from "../../../domain/partition/in-sync.ts"
import {
  acknowledgedEnd,
  appended,
  divergence,
  fetched,
  fetchRefusal,
  hasEnoughInSync,
  image,
  isLatestKnown,
  type Lead,
  lead,
  proposalAnswered,
  proposalSent,
  started,
  synced,
  tick
} from "../../../domain/partition/lead.ts"
import { afterFetch, fetchOf, ids, imageOf, leading } from "./support.ts"

const written = (state: Lead, end: number, at = 0): Lead => synced(appended(state, end, at), end)

describe("high watermark", () => {
  test("one replica: the log's end, synced or not", () => {
    const alone = lead(imageOf({ isr: ids(1), minIsr: 1, replicas: imageOf().replicas.slice(0, 1) }), {
      ...{ id: ids(1)[0] as never, end: 5, syncedEnd: 3, highWatermark: 2, logStart: 0, at: 0 }
    })
    expect([alone.highWatermark, appended(alone, 9, 0).highWatermark]).toEqual([5, 9])
  })
  test("it stays above the synced end when one replica becomes several, and acks=all waits for the sync", () => {
    const one = imageOf({ isr: ids(1), minIsr: 1, replicas: imageOf().replicas.slice(0, 1) })
    const alone = lead(one, { id: ids(1)[0] as never, end: 5, syncedEnd: 3, highWatermark: 2, logStart: 0, at: 0 })
    const several = image(alone, imageOf({ isr: ids(1), minIsr: 1, partitionEpoch: 8 }), 0)
    expect([several.highWatermark, acknowledgedEnd(several), acknowledgedEnd(synced(several, 5))]).toEqual([5, 3, 5])
  })
  test("Kip320, rule 3: it moves when every replica of the set has fetched under this leader epoch", () => {
    const state = leading()
    expect([state.highWatermark, isLatestKnown(state)]).toEqual([90, false])
    expect(afterFetch(state, 2, 100).highWatermark).toBe(90)
    const all = afterFetch(afterFetch(state, 2, 100), 3, 95)
    expect([all.highWatermark, isLatestKnown(all)]).toEqual([95, false])
    expect(isLatestKnown(afterFetch(all, 3, 100))).toBe(true)
  })
  test("the leader counts with what it has synced; it never falls", () => {
    const all = afterFetch(afterFetch(leading(), 2, 100), 3, 100)
    const ahead = afterFetch(afterFetch(appended(all, 110, 1), 2, 110, 1), 3, 110, 1)
    expect([ahead.highWatermark, synced(ahead, 104).highWatermark, synced(ahead, 110).highWatermark]).toEqual([100, 104, 110])
    expect(afterFetch(synced(ahead, 110), 2, 90, 2).highWatermark).toBe(110)
  })
  test("KIP-966: it stays while the committed set is smaller than min ISR, so acks=1 records stay unseen", () => {
    const state = written(leading({ isr: ids(1) }), 120)
    expect([state.highWatermark, hasEnoughInSync(state)]).toEqual([90, false])
    // A proposal to join does not count before its event.
    expect(afterFetch(state, 2, 120).highWatermark).toBe(90)
  })
  test("KAFKA-15021: a caught-up replica that may not join does not hold it", () => {
    const away = imageOf({ isr: ids(1, 2) }).replicas.map((one) => (one.id === 3 ? { ...one, mayJoin: false } : one))
    const state = afterFetch(leading({ isr: ids(1, 2), replicas: away }), 3, 100)
    expect(afterFetch(written(state, 110), 2, 110).highWatermark).toBe(110)
  })
  test("it waits for a replica that could join now", () => {
    const joining = afterFetch(afterFetch(leading({ isr: ids(1, 2) }), 2, 100), 3, 100)
    expect(joining.proposal?.isr).toEqual(ids(1, 2, 3))
    expect(afterFetch(written(joining, 110), 2, 110).highWatermark).toBe(100)
  })
})

describe("low watermark", () => {
  const starting = (state: Lead, id: number, logStart: number): Lead => fetched(state, fetchOf(id, 100, { logStart }), 0)
  const fenced = (id: number, more: Parameters<typeof imageOf>[0]) =>
    imageOf({ partitionEpoch: 8, replicas: imageOf().replicas.map((one) => (one.id === id ? { ...one, mayJoin: false } : one)), ...more })

  test("it is the smallest start of all live replicas, and never falls", () => {
    const own = started(leading(), 40)
    expect([own.lowWatermark, starting(own, 2, 40).lowWatermark]).toEqual([0, 0])
    const all = starting(starting(own, 2, 40), 3, 30)
    expect([all.lowWatermark, starting(all, 3, 40).lowWatermark, starting(all, 3, 0).lowWatermark]).toEqual([30, 40, 30])
  })
  test("a fenced replica is not waited for, unless it is in the ELR: then it may be elected", () => {
    const before = starting(started(leading(), 40), 2, 40)
    expect(image(before, fenced(3, { isr: ids(1, 2) }), 0).lowWatermark).toBe(40)
    const eligible = image(before, fenced(3, { isr: ids(1, 2), elr: ids(3), minIsr: 3 }), 0)
    expect([eligible.lowWatermark, starting(eligible, 3, 40).lowWatermark]).toEqual([0, 40])
  })
  test("a replica does not join with records that are deleted, also by an earlier leader", () => {
    const deleted = starting(started(image(leading(), fenced(3, { isr: ids(1, 2) }), 0), 40), 2, 40)
    const live = image(deleted, imageOf({ partitionEpoch: 9, isr: ids(1, 2) }), 0)
    expect([live.lowWatermark, starting(live, 3, 39).proposal, starting(live, 3, 40).proposal?.isr]).toEqual([40, undefined, ids(1, 2, 3)])
    const next = lead(imageOf({ isr: ids(1, 2) }), { id: ids(1)[0] as never, end: 100, syncedEnd: 100, highWatermark: 90, logStart: 40, at: 0 })
    expect([next.lowWatermark, starting(next, 3, 39).proposal, starting(next, 3, 40).proposal?.isr]).toEqual([0, undefined, ids(1, 2, 3)])
  })
  test("a replica that is proposed holds it, also when it is fenced before the event", () => {
    const proposed = starting(leading({ isr: ids(1, 2) }), 3, 0)
    expect(proposed.proposal?.isr).toEqual(ids(1, 2, 3))
    const unsent = image(proposalSent(proposed), fenced(3, { isr: ids(1, 2), partitionEpoch: 7 }), 0)
    expect(starting(started(unsent, 40), 2, 40).lowWatermark).toBe(0)
  })
})

describe("the in-sync set", () => {
  const two = afterFetch(leading({ isr: ids(1, 2) }), 2, 100)
  test("Kip320, rule 4: a replica joins with the high watermark and the start of the epoch in its log", () => {
    expect(afterFetch(two, 3, 99).proposal).toBeUndefined()
    expect(afterFetch(two, 3, 100).proposal).toMatchObject({ isr: [1, 2, 3], leaderEpoch: 5, partitionEpoch: 7, sent: 0 })
  })
  test("KIP-903, KAFKA-14139: the fetch of an earlier or an unregistered process of the broker does not count", () => {
    expect(fetched(two, fetchOf(3, 100, { brokerEpoch: 29 }), 0)).toBe(two)
    expect(fetched(two, fetchOf(3, 100, { brokerEpoch: 31 }), 0)).toBe(two)
    const registered = imageOf({ isr: ids(1, 2, 3) }).replicas.map((one) => (one.id === 3 ? { ...one, brokerEpoch: 31 } : one))
    const again = image(afterFetch(leading(), 3, 100), imageOf({ replicas: registered }), 1)
    expect(again.followers.find(({ id }) => id === 3)?.end).toBe(-1)
  })
  test("KIP-841: a fenced broker, or one that shuts down, does not join", () => {
    const away = imageOf().replicas.map((one) => (one.id === 3 ? { ...one, mayJoin: false } : one))
    expect(afterFetch(leading({ isr: ids(1, 2), replicas: away }), 3, 100).proposal).toBeUndefined()
  })
  test("a replica leaves that is behind for longer than the lag; a quiet partition has none", () => {
    const all = afterFetch(afterFetch(leading(), 2, 100), 3, 100)
    expect(tick(all, 1_000_000, 30_000)).toBe(all)
    const ahead = afterFetch(written(all, 110, 10), 2, 110, 20)
    expect(tick(ahead, 30_000, 30_000).proposal).toBeUndefined()
    expect(tick(ahead, 30_011, 30_000).proposal?.isr).toEqual(ids(1, 2))
  })
  test("a replica that always reaches where the end was at its last fetch does not leave, however fast the end moves", () => {
    let state = afterFetch(afterFetch(leading(), 2, 100), 3, 100)
    for (let at = 1; at < 100; at++) {
      state = written(state, 100 + at * 10, at * 1000)
      state = afterFetch(afterFetch(state, 2, state.end, at * 1000 + 1), 3, state.end - 10, at * 1000 + 1)
      expect(tick(state, at * 1000 + 2, 5000).proposal).toBeUndefined()
    }
  })
  test("after an hour without records a replica has the whole lag from the next record on", () => {
    const all = afterFetch(afterFetch(leading(), 2, 100), 3, 100)
    const ahead = written(all, 110, 3_600_000)
    expect(tick(afterFetch(ahead, 3, 105, 3_600_001), 3_600_002, 30_000).proposal).toBeUndefined()
  })
})

describe("proposals", () => {
  const two = afterFetch(leading({ isr: ids(1, 2) }), 2, 100)
  const asked = proposalSent(afterFetch(two, 3, 100))
  const outcome = (state: Lead, error: Parameters<typeof outcomeOf>[0]) =>
    proposalAnswered(state, state.proposal as NonNullable<Lead["proposal"]>, outcomeOf(error))
  test("the answer changes nothing, the event in the image does", () => {
    expect(outcome(asked, "NONE")).toBe(asked)
    const done = image(asked, imageOf({ partitionEpoch: 8 }), 1)
    expect([done.isr, done.maximal, done.proposal]).toEqual([ids(1, 2, 3), ids(1, 2, 3), undefined])
  })
  test("until then the maximal set counts: a leader that shrinks the set waits for the replica that leaves", () => {
    const all = afterFetch(afterFetch(leading(), 2, 100), 3, 100)
    const shrinking = tick(afterFetch(written(all, 110, 1), 2, 110, 2), 100, 50)
    expect([shrinking.proposal?.isr, shrinking.highWatermark]).toEqual([ids(1, 2), 100])
    expect(image(shrinking, imageOf({ isr: ids(1, 2), partitionEpoch: 8 }), 3).highWatermark).toBe(110)
  })
  test("stale: it waits for the image; lost: the same request again", () => {
    for (const error of ["INVALID_UPDATE_VERSION", "FENCED_LEADER_EPOCH", "REQUEST_TIMED_OUT", "NOT_CONTROLLER"] as const)
      expect(outcome(asked, error)).toBe(asked)
    expect(outcomeOf("REQUEST_TIMED_OUT")).toBe("unknown")
    expect(proposalSent(asked).proposal?.sent).toBe(2)
  })
  test("ineligible: back to the committed set, and not proposed again before the image changes", () => {
    const back = outcome(asked, "INELIGIBLE_REPLICA")
    expect([back.maximal, back.proposal]).toEqual([ids(1, 2), undefined])
    expect(afterFetch(written(back, 101), 3, 101).proposal).toBeUndefined()
    expect(image(back, imageOf({ isr: ids(1, 2) }), 1).proposal?.isr).toEqual(ids(1, 2, 3))
  })
  test("ineligible after it was sent twice: a copy may be accepted later, so the maximal set stays until the partition epoch rises", () => {
    const back = outcome(proposalSent(asked), "INELIGIBLE_REPLICA")
    expect([back.maximal, back.proposal]).toMatchObject([[1, 2, 3], { isr: [1, 2], sent: 0, partitionEpoch: 7 }])
    expect(image(back, imageOf({ isr: ids(1, 2), partitionEpoch: 8, replicas: away }), 1).maximal).toEqual(ids(1, 2))
  })
  const away = imageOf().replicas.map((one) => (one.id === 3 ? { ...one, mayJoin: false } : one))
  test("what was wanted while one was under way is proposed after it (LinkedIn kafka 386)", () => {
    const one = afterFetch(afterFetch(leading({ isr: ids(1) }), 2, 100), 3, 100)
    expect(one.proposal?.isr).toEqual(ids(1, 2))
    expect(image(one, imageOf({ isr: ids(1, 2), partitionEpoch: 8 }), 1).proposal?.isr).toEqual(ids(1, 2, 3))
  })
})

describe("fetches of replicas", () => {
  const state = leading()
  test.each([
    [{ leaderEpoch: 4 }, "FENCED_LEADER_EPOCH"],
    [{ leaderEpoch: 6 }, "UNKNOWN_LEADER_EPOCH"],
    [{ id: 9 }, "UNKNOWN_LEADER_EPOCH"],
    [{ brokerEpoch: 19 }, "NOT_LEADER_OR_FOLLOWER"],
    [{ brokerEpoch: 21 }, "UNKNOWN_LEADER_EPOCH"],
    [{}, undefined]
  ] as const)("R5: %j: %s", (more, error) => expect(fetchRefusal(state, fetchOf(2, 100, more))).toBe(error))
  const starts = [
    { epoch: 1, end: 40 },
    { epoch: 4, end: 100 },
    { epoch: 5, end: 110 }
  ]
  /** The leader's log has epoch 1 up to 40, epoch 4 up to 100, epoch 5 up to 110. */
  const endOf = (epoch: number) => {
    const found = starts.findLast((one) => one.epoch <= epoch)
    return found === undefined ? undefined : { epoch: found.epoch, endOffset: found.end }
  }
  test.each([
    [4, 100, undefined],
    [4, 60, undefined],
    [4, 101, { epoch: 4, endOffset: 100 }],
    [3, 50, { epoch: 1, endOffset: 40 }],
    [1, 41, { epoch: 1, endOffset: 40 }],
    [-1, 0, undefined],
    [-1, 7, undefined],
    [-1, 8, { epoch: -1, endOffset: 7 }],
    [0, 3, { epoch: -1, endOffset: 7 }]
  ])("KIP-320: a log with epoch %p that ends at %p diverges at %p", (lastFetchedEpoch, offset, diverging) =>
    expect(divergence(leading({ isr: ids(1) }), endOf, 7, fetchOf(2, offset, { lastFetchedEpoch }))).toEqual(diverging as never)
  )
  test.each([
    ["in-sync set", { isr: ids(1, 2) }],
    ["ELR", { isr: ids(1), elr: ids(2) }]
  ])("a log without an epoch is not copied again where the %s names its replica", (_, sets) =>
    expect(divergence(leading(sets), endOf, 7, fetchOf(2, 8, { lastFetchedEpoch: -1 }))).toBeUndefined()
  )
})

test("a step that changes nothing returns the same state", () => {
  const all = afterFetch(afterFetch(leading(), 2, 100), 3, 100)
  expect(afterFetch(all, 2, 100, 5)).toBe(all)
  expect(appended(all, 100, 5)).toBe(all)
  expect(synced(all, 100)).toBe(all)
  expect(image(all, imageOf({ leaderEpoch: 6, partitionEpoch: 9 }), 1)).toBe(all)
  expect(image(all, imageOf({ partitionEpoch: 6, isr: ids(1) }), 1)).toBe(all)
})

describe("KAFKA-15221: a proposal has the broker epochs of the fetches by which its replicas can join", () => {
  const asked = afterFetch(afterFetch(leading({ isr: ids(1, 2) }), 2, 100), 3, 100)
  const again = imageOf({ isr: ids(1, 2), replicas: imageOf().replicas.map((one) => (one.id === 3 ? { ...one, brokerEpoch: 31 } : one)) })
  test("a request that is sent again does not name a newer process", () => {
    expect(asked.proposal?.brokerEpochs).toEqual([10, 20, 30])
    expect(image(proposalSent(asked), again, 1).proposal).toMatchObject({ isr: [1, 2, 3], brokerEpochs: [10, 20, 30] })
  })
  test("one that was not sent is dropped when its replica registers again", () => {
    expect(image(asked, again, 1)).toMatchObject({ proposal: undefined, maximal: [1, 2] })
  })
})

describe("a replica whose rounds are longer than those of the in-sync set, while records are appended", () => {
  /** Replica 2 is in sync and fetches each 10 ms; replica 3 begins a fetch each 100 ms. A record is appended each ms. */
  const rounds = (thirdFetches: (state: Lead, at: number) => Lead): Lead => {
    let state = leading({ isr: ids(1, 2) })
    let read = 100
    for (let at = 1; at <= 1000; at++) {
      state = synced(appended(state, 100 + at, at), 100 + at)
      if (at % 10 === 0) {
        state = fetched(state, fetchOf(2, read), at)
        read = 100 + at
      }
      if (at % 100 === 0) state = thirdFetches(state, at)
    }
    return state
  }
  /** It has what there was at its fetch before. */
  const third = (state: Lead, at: number): Lead => fetched(state, fetchOf(3, at), at)
  test("it can join: the high watermark waits for it once it is near", () => {
    expect(rounds(third).proposal?.isr).toEqual(ids(1, 2, 3))
  })
  test("one that is far behind, or that stopped fetching, does not hold the high watermark", () => {
    expect(rounds((state, at) => fetched(state, fetchOf(3, Math.floor(at / 2)), at)).highWatermark).toBe(1090)
    const stopped = rounds((state, at) => (at <= 200 ? third(state, at) : state))
    expect(stopped.highWatermark).toBeLessThan(1000)
    expect(tick(stopped, 1201, 30_000).highWatermark).toBe(1090)
    // Nor one that may not join any more.
    const away = imageOf({ isr: ids(1, 2) }).replicas.map((one) => (one.id === 3 ? { ...one, mayJoin: false } : one))
    expect(image(stopped, imageOf({ isr: ids(1, 2), replicas: away }), 1000).highWatermark).toBe(1090)
  })
})
