import { describe, expect, test } from "bun:test"
import { Clock, Effect, Either, Fiber } from "effect"
import fc from "fast-check"
import { errorCode, type KafkaError } from "../../../../domain/kernel/error-code.ts"
import { zeroTopicId } from "../../../../domain/kernel/id.ts"
import { readableBatches } from "../../../../domain/log/batch.ts"
import { Deadlines } from "../../../../src/serve/deadlines.ts"
import { fetch } from "../../../../src/serve/fetch/fetch.ts"
import { type FetchRequest, type FetchResponse, type PartitionResponse, Pass } from "../../../../src/serve/fetch/fetch-pass.ts"
import { nextEpoch } from "../../../../src/serve/fetch/fetch-session.ts"
import { evictionMs, FetchSessions } from "../../../../src/serve/fetch/fetch-sessions.ts"
import { Later } from "../../../../src/wire/later.ts"
import { atOnce } from "../../wire/at-once.ts"
import { FakeTable } from "../fake-partition.ts"

type FetchedPartition = readonly [topic: string, partition: number, from: number]
const wanted = (partition: number, from: number, partitionMaxBytes = 1_000_000, currentLeaderEpoch = -1) => ({
  partition,
  currentLeaderEpoch,
  fetchOffset: BigInt(from),
  lastFetchedEpoch: -1,
  logStartOffset: -1n,
  partitionMaxBytes,
  replicaDirectoryId: zeroTopicId,
  highWatermark: -1n
})

const setUp = (more: { readonly slots?: number; readonly sessionPartitionsMax?: number; readonly partitionsMax?: number } = {}) => {
  const table = new FakeTable()
  const clock = { now: 0 }
  let drawn = 0
  const deadlines = new Deadlines(Clock.make(), (effect) => Effect.runFork(effect))
  const sessions = new FetchSessions({ slots: 1000, now: () => clock.now, random: () => (drawn += 0.000_1), ...more })
  const serve = fetch({ find: table.find, findLeader: () => undefined, clusterId: () => undefined, fetchBytesMax: 1_000_000, sessions, deadlines })
  const request = (sessionId: number, sessionEpoch: number, asked: ReadonlyArray<FetchedPartition>, draft: Partial<FetchRequest> = {}): FetchRequest => ({
    clusterId: null,
    replicaId: -1,
    replicaState: { replicaId: -1, replicaEpoch: -1n },
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1_000_000,
    isolationLevel: 0,
    sessionId,
    sessionEpoch,
    topics: asked.map(([topic, partition, from]) => ({ topic, topicId: zeroTopicId, partitions: [wanted(partition, from)] })),
    forgottenTopicsData: [],
    rackId: "",
    ...draft
  })
  const now = (
    sessionId: number,
    sessionEpoch: number,
    asked: ReadonlyArray<FetchedPartition> = [],
    draft: Partial<FetchRequest> & { readonly version?: number; readonly host?: string } = {}
  ): FetchResponse => {
    const { version = 12, host = "here", ...rest } = draft
    const answer = atOnce<unknown>(serve(request(sessionId, sessionEpoch, asked, rest), { version, session: { clientHost: host } }))
    if (answer instanceof Later) throw new Error("the answer waits")
    return answer as FetchResponse
  }
  return { table, clock, sessions, serve, request, now }
}
const named = (answer: FetchResponse) =>
  answer.responses.flatMap(({ partitions, topic }) =>
    partitions.map(({ errorCode: code, partitionIndex, records }) => {
      const views = records as ReadonlyArray<Uint8Array>
      const offsets = views.flatMap((view) => Either.getOrThrow(readableBatches(view)).map(({ baseOffset }) => baseOffset))
      return `${topic}-${partitionIndex}${code === 0 ? "" : ` ${code}`}${offsets.length === 0 ? "" : ` ${offsets.join(",")}`}`
    })
  )
const forget = (topic: string, ...partitions: ReadonlyArray<number>) => ({ forgottenTopicsData: [{ topic, topicId: zeroTopicId, partitions }] })
const is = (error: KafkaError) => ({ errorCode: errorCode(error), sessionId: 0, responses: [] })

describe("fetch sessions", () => {
  test("an incremental response has partitions that changed, and those with an error each time", () => {
    const { now, table } = setUp()
    table.create("a", 3)
    const first = now(0, 0, [
      ["a", 0, 0],
      ["a", 1, 0],
      ["b", 0, 0]
    ])
    expect(named(first)).toEqual(["a-0", "a-1", "b-0 3"])
    const id = first.sessionId as number
    expect(id).toBeGreaterThan(0)
    expect(named(now(id, 1))).toEqual(["b-0 3"])
    table.at("a", 1)?.append("x")
    expect(named(now(id, 2))).toEqual(["a-1 0", "b-0 3"])
    // The client has not said that it has the records: it gets them again.
    expect(named(now(id, 3))).toEqual(["b-0 3", "a-1 0"])
    expect(named(now(id, 4, [["a", 1, 1]]))).toEqual(["b-0 3"])
    table.create("b", 1)
    expect(named(now(id, 5))).toEqual(["b-0"])
    expect(named(now(id, 6))).toEqual([])
    table.at("a", 1)?.raise(1)
    expect(named(now(id, 7))).toEqual(["a-1"])
    table.at("a", 0)?.append("y")
    expect(named(now(id, 8, [["a", 2, 0]], forget("a", 0)))).toEqual(["a-2"])
    table.remove("a")
    expect(named(now(id, 9))).toEqual(["a-1 3", "a-2 3"])
  })

  test("a replica is told about a partition that gave it records when it names it again, and about the others meanwhile", () => {
    const { now, serve, request, table } = setUp()
    table.create("a", 2)
    for (const partition of [0, 1]) Object.assign(table.at("a", partition) ?? {}, { fetchedBy: () => undefined })
    const replica = { replicaId: 7 }
    const first = now(
      0,
      0,
      [
        ["a", 0, 0],
        ["a", 1, 0]
      ],
      replica
    )
    expect(first.overlaps).toBe(true)
    const id = first.sessionId as number
    table.at("a", 0)?.append("x")
    expect(named(now(id, 1, [], replica))).toEqual(["a-0 0"])
    // It syncs the record: neither this partition nor what is appended to it is for the next requests.
    expect(named(now(id, 2, [], replica))).toEqual([])
    table.at("a", 0)?.append("y")
    table.at("a", 1)?.append("z")
    expect(named(now(id, 3, [], replica))).toEqual(["a-1 0"])
    const waiting = serve(request(id, 4, [], { ...replica, maxWaitMs: 60_000 }), { version: 12, session: { clientHost: "here" } })
    if (!(waiting instanceof Later)) throw new Error("it does not wait")
    let isReady = false
    const stop = waiting.begin(() => void (isReady = true))
    table.at("a", 0)?.append("w")
    expect([isReady, waiting.yields]).toEqual([false, true])
    stop()
    expect(named(now(id, 5, [["a", 0, 1]], replica))).toEqual(["a-0 1,2"])
    // As at first, where it did not take the records.
    expect(named(now(id, 6, [["a", 0, 1]], replica))).toEqual(["a-0 1,2"])
    expect(now(0, 0, [["a", 0, 0]]).overlaps).not.toBe(true)
  })

  test("a partition that gave records comes last afterwards, so that a full response starves no partition", () => {
    const { now, table } = setUp()
    table.create("a", 3)
    for (const partition of [0, 1, 2]) for (const value of ["x", "y"]) table.at("a", partition)?.append(value)
    const small = { maxBytes: 1 }
    const all: ReadonlyArray<FetchedPartition> = [
      ["a", 0, 0],
      ["a", 1, 0],
      ["a", 2, 0]
    ]
    const id = now(0, 0, all, small).sessionId as number
    const given = [1, 2, 3, 4].map((epoch) => named(now(id, epoch, [], small)).filter((each) => each.includes(" ")))
    expect(given).toEqual([["a-0 0"], ["a-1 0"], ["a-2 0"], ["a-0 0"]])
  })

  test("what is not there, of another, of another epoch or in another way of naming is refused", () => {
    const { now, sessions, table } = setUp()
    const topicId = table.create("a", 1)
    expect(now(77, 3)).toMatchObject(is("FETCH_SESSION_ID_NOT_FOUND"))
    expect(now(0, 1)).toMatchObject(is("FETCH_SESSION_ID_NOT_FOUND"))
    const id = now(0, 0, [["a", 0, 0]]).sessionId as number
    expect(now(id, 2)).toMatchObject(is("INVALID_FETCH_SESSION_EPOCH"))
    expect(now(id, -2)).toMatchObject(is("INVALID_FETCH_SESSION_EPOCH"))
    expect(now(id, 1, [], { version: 13 })).toMatchObject(is("FETCH_SESSION_TOPIC_ID_ERROR"))
    expect(now(id, 1, [], { host: "elsewhere" })).toMatchObject(is("FETCH_SESSION_ID_NOT_FOUND"))
    expect(now(id, 1)).toMatchObject({ errorCode: 0, sessionId: id })
    const topics = [{ topic: "", topicId, partitions: [wanted(0, 0)] }]
    const byId = now(0, 0, [], { version: 13, topics }).sessionId as number
    expect(now(byId, 1)).toMatchObject(is("FETCH_SESSION_TOPIC_ID_ERROR"))
    expect(now(byId, 1, [], { version: 13 })).toMatchObject({ errorCode: 0, sessionId: byId })
    // Said in full, a request closes the session that it names; with epoch -1 it gets no other.
    expect(now(id, -1, [["a", 0, 0]])).toMatchObject({ errorCode: 0, sessionId: 0 })
    expect(now(id, 2)).toMatchObject(is("FETCH_SESSION_ID_NOT_FOUND"))
    const other = now(byId, 0, [["a", 0, 0]]).sessionId
    expect([other === byId, other === 0, sessions.count]).toEqual([false, false, 1])
    // Version 6 has no sessions: the fields of a session are ignored.
    expect(now(0, 0, [["a", 0, 0]], { version: 6 })).toMatchObject({ errorCode: 0, sessionId: 0 })
  })

  test("a session whose last partition is forgotten is closed", () => {
    const { now, sessions, table } = setUp()
    table.create("a", 1)
    const id = now(0, 0, [["a", 0, 0]]).sessionId as number
    expect(table.waitingCount).toBe(1)
    expect(now(id, 1, [], forget("a", 0))).toMatchObject({ errorCode: 0, sessionId: 0, responses: [] })
    expect([sessions.count, sessions.partitionCount, table.waitingCount]).toEqual([0, 0, 0])
  })

  test("epochs count up to the largest int32 and continue with 1", () => {
    expect([nextEpoch(0), nextEpoch(1), nextEpoch(0x7fff_fffe), nextEpoch(0x7fff_ffff)]).toEqual([1, 2, 0x7fff_ffff, 1])
  })

  test("a session that was silent for two minutes makes room; else an old and smaller one; else none is given", () => {
    const { clock, now, sessions, table } = setUp({ slots: 2 })
    table.create("a", 4)
    const all = (count: number): ReadonlyArray<FetchedPartition> => Array.from({ length: count }, (_, partition) => ["a", partition, 0] as const)
    const open = (count: number, draft: Partial<FetchRequest> = {}) => now(0, 0, all(count), draft).sessionId as number
    const [one, two] = [open(2), open(1)]
    expect(open(4)).toBe(0)
    clock.now = evictionMs + 1
    expect(now(one, 1)).toMatchObject({ errorCode: 0 })
    // The other was silent.
    const three = open(1)
    expect([three > 0, now(two, 1).errorCode]).toEqual([true, errorCode("FETCH_SESSION_ID_NOT_FOUND")])
    // `one` is old and in use: a session with as few partitions does not evict it, one with more does.
    expect(open(2)).toBe(0)
    const four = open(3)
    expect([four > 0, now(one, 2).errorCode]).toEqual([true, errorCode("FETCH_SESSION_ID_NOT_FOUND")])
    // Both are young: only a replica's takes the place of a consumer's, the smaller one first.
    expect(open(4)).toBe(0)
    const replica = open(1, { replicaId: 5 })
    expect([replica > 0, now(three, 1).errorCode, now(four, 1).errorCode]).toEqual([true, errorCode("FETCH_SESSION_ID_NOT_FOUND"), 0])
    clock.now += evictionMs + 1
    now(replica, 1)
    now(four, 2)
    expect([open(4) > 0, now(replica, 2).errorCode]).toEqual([true, 0])
    expect(sessions.count).toBe(2)
  })

  test("partitions are bounded: of a session, and of all together", () => {
    const { now, sessions, table } = setUp({ sessionPartitionsMax: 3, partitionsMax: 5 })
    table.create("a", 5)
    const all = (from: number, to: number): ReadonlyArray<FetchedPartition> => Array.from({ length: to - from }, (_, at) => ["a", from + at, 0] as const)
    expect(now(0, 0, all(0, 4)).sessionId).toBe(0)
    const id = now(0, 0, all(0, 3)).sessionId as number
    expect(now(id, 1, all(3, 4))).toMatchObject(is("FETCH_SESSION_ID_NOT_FOUND"))
    expect([sessions.count, sessions.partitionCount, table.waitingCount]).toEqual([0, 0, 0])
    expect(now(0, 0, all(0, 3)).sessionId).toBeGreaterThan(0)
    expect(now(0, 0, all(0, 3)).sessionId).toBe(0)
    expect(now(0, 0, all(0, 2)).sessionId).toBeGreaterThan(0)
    expect(sessions.partitionCount).toBe(5)
  })

  test("with 0 slots there are none", () => {
    const { now, table } = setUp({ slots: 0 })
    table.create("a", 1)
    expect(now(0, 0, [["a", 0, 0]])).toMatchObject({ errorCode: 0, sessionId: 0 })
  })
})

describe("a fetch of a session that waits", () => {
  const waiting = (own: ReturnType<typeof setUp>, id: number, epoch: number, draft: Partial<FetchRequest> = {}) =>
    Effect.gen(function* () {
      const answer = atOnce<unknown>(own.serve(own.request(id, epoch, [], { maxWaitMs: 60_000, ...draft }), { version: 12, session: { clientHost: "here" } }))
      if (!(answer instanceof Later)) throw new Error("the answer does not wait")
      const fiber = yield* Effect.fork(Effect.map(answer.effect, (made) => atOnce<unknown>(made) as FetchResponse))
      yield* Effect.yieldNow()
      return fiber
    })
  const opened = (count: number) => {
    const own = setUp()
    own.table.create("a", count)
    const asked = Array.from({ length: count }, (_, partition) => ["a", partition, 0] as const)
    return { ...own, id: own.now(0, 0, asked).sessionId as number }
  }

  test("is woken by any of its partitions, also by one that was quiet since the session began", () =>
    Effect.gen(function* () {
      const own = opened(100)
      const fiber = yield* waiting(own, own.id, 1)
      expect(own.table.waitingCount).toBe(100)
      own.table.at("a", 42)?.append("x")
      expect(named(yield* Fiber.join(fiber))).toEqual(["a-42 0"])
      const again = yield* waiting(own, own.id, 2, { minBytes: 1_000_000, maxWaitMs: 20 })
      expect(named(yield* Fiber.join(again))).toEqual(["a-42 0"])
      expect(own.table.waitingCount).toBe(100)
    }).pipe(Effect.runPromise))

  test("waits for minBytes over all of them together", () =>
    Effect.gen(function* () {
      const own = opened(3)
      own.table.at("a", 0)?.append("x")
      const size = own.table.at("a", 0)?.batches[0]?.bytes.length ?? 0
      const fiber = yield* waiting(own, own.id, 1, { minBytes: 3 * size })
      own.table.at("a", 1)?.append("x")
      yield* Effect.yieldNow()
      expect(fiber.unsafePoll()).toBeNull()
      own.table.at("a", 1)?.append("x")
      expect(named(yield* Fiber.join(fiber))).toEqual(["a-0 0", "a-1 0,1"])
    }).pipe(Effect.runPromise))

  test("ends when its topic is deleted, when a later Fetch advances the session, and when the session is closed", () =>
    Effect.gen(function* () {
      const own = opened(2)
      const first = yield* waiting(own, own.id, 1)
      own.table.remove("a")
      expect(named(yield* Fiber.join(first))).toEqual(["a-0 3", "a-1 3"])
      own.table.create("a", 2)
      expect(named(own.now(own.id, 2))).toEqual(["a-0", "a-1"])
      const second = yield* waiting(own, own.id, 3)
      const third = yield* waiting(own, own.id, 4)
      expect(yield* Fiber.join(second)).toMatchObject({ errorCode: errorCode("INVALID_FETCH_SESSION_EPOCH") })
      expect(third.unsafePoll()).toBeNull()
      own.now(own.id, -1)
      expect(yield* Fiber.join(third)).toMatchObject({ errorCode: 0, responses: [] })
      expect(own.table.waitingCount).toBe(0)
    }).pipe(Effect.runPromise))

  test("ends when a later Fetch of the session is answered at once, which has its records", () =>
    Effect.gen(function* () {
      const own = opened(2)
      const first = yield* waiting(own, own.id, 1, { minBytes: 1_000_000 })
      own.table.at("a", 1)?.append("x")
      yield* Effect.yieldNow()
      expect(first.unsafePoll()).toBeNull()
      expect(named(own.now(own.id, 2))).toEqual(["a-1 0"])
      expect(yield* Effect.timeout(Fiber.join(first), 10_000)).toMatchObject({ errorCode: errorCode("INVALID_FETCH_SESSION_EPOCH"), responses: [] })
      // One whose epoch is wrong does not.
      const second = yield* waiting(own, own.id, 3, { minBytes: 1_000_000 })
      expect(own.now(own.id, 3)).toMatchObject(is("INVALID_FETCH_SESSION_EPOCH"))
      yield* Effect.yieldNow()
      expect(second.unsafePoll()).toBeNull()
      own.now(own.id, -1)
      yield* Fiber.join(second)
      expect(own.table.waitingCount).toBe(0)
    }).pipe(Effect.runPromise))

  test("a Fetch whose session is evicted while it waits gets a response, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const own = opened(3)
      own.table.at("a", 0)?.append("x")
      const fiber = yield* waiting(own, own.id, 1, { minBytes: 1_000_000 })
      const session = own.sessions.find(own.id, "here")
      if (session === undefined) throw new Error("there is no session")
      // As another client's session that takes its place does.
      own.sessions.remove(session)
      expect(named(yield* Fiber.join(fiber))).toEqual(["a-0 0"])
      expect(own.table.waitingCount).toBe(0)
      expect(own.now(own.id, 2)).toMatchObject(is("FETCH_SESSION_ID_NOT_FOUND"))
    }).pipe(Effect.runPromise))

  test("a cancelled Fetch leaves no trace, and the session continues", () =>
    Effect.gen(function* () {
      const own = opened(2)
      const fiber = yield* waiting(own, own.id, 1)
      yield* Fiber.interrupt(fiber)
      own.table.at("a", 1)?.append("x")
      expect(named(own.now(own.id, 2))).toEqual(["a-1 0"])
    }).pipe(Effect.runPromise))
})

/** Sessions as Kafka keeps them: every partition is read for every request. What ours leaves out must be no news. */
class EveryPartition {
  private readonly cached: Array<{ topic: string; index: number; from: number; bytesMax: number; epoch: number; highWatermark: bigint; logStart: bigint }> = []
  constructor(private readonly table: FakeTable) {}

  ask(topics: FetchRequest["topics"]): void {
    for (const { partitions, topic } of topics)
      for (const { currentLeaderEpoch: epoch, fetchOffset, partition: index, partitionMaxBytes: bytesMax } of partitions) {
        const params = { from: Number(fetchOffset), bytesMax, epoch }
        const known = this.cached.find((each) => each.topic === topic && each.index === index)
        if (known === undefined) this.cached.push({ topic, index, highWatermark: -1n, logStart: -1n, ...params })
        else Object.assign(known, params)
      }
  }
  forget(forgotten: FetchRequest["forgottenTopicsData"]): void {
    for (const { partitions, topic } of forgotten)
      for (const index of partitions) {
        const at = this.cached.findIndex((each) => each.topic === topic && each.index === index)
        if (at >= 0) this.cached.splice(at, 1)
      }
  }
  answer(maxBytes: number, isFirst: boolean): ReadonlyArray<readonly [string, PartitionResponse]> {
    const pass = new Pass({ find: this.table.find, findLeader: () => undefined }, 12, 0, maxBytes)
    const answers = this.cached.map((each) => [each, pass.take({ ...each, lastEpoch: -1, logStart: -1, ref: { name: each.topic } })] as const)
    const news: Array<readonly [string, PartitionResponse]> = []
    for (const [each, answer] of answers) {
      const gave = (answer.records?.length ?? 0) > 0
      const { errorCode: code, highWatermark, logStartOffset = -1n } = answer
      if (isFirst || gave || code !== 0 || highWatermark !== each.highWatermark || logStartOffset !== each.logStart) news.push([each.topic, answer])
      each.highWatermark = code === 0 ? highWatermark : -1n
      each.logStart = logStartOffset
      if (gave && !isFirst) this.cached.push(...this.cached.splice(this.cached.indexOf(each), 1))
    }
    return news
  }
}

test("a session responds as Kafka's, which reads every partition for every request", () => {
  const place = fc.record({ topic: fc.constantFrom("a", "b", "c"), partition: fc.nat(4) })
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("append" as const), place, count: fc.integer({ min: 1, max: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("raise" as const), place, to: fc.nat(6) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("lead" as const), place, epoch: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), place }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("create" as const), place }) },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("fetch" as const),
        asked: fc.array(fc.record({ place, from: fc.nat(8), bytesMax: fc.constantFrom(1, 100, 10_000), epoch: fc.constantFrom(-1, -1, -1, 0, 1) }), {
          maxLength: 3
        }),
        forgotten: fc.array(place, { maxLength: 2 }),
        maxBytes: fc.constantFrom(1, 200, 10_000)
      })
    }
  )
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
      const { now, sessions, table } = setUp()
      for (const topic of ["a", "b"]) table.create(topic, 4)
      const kafka = new EveryPartition(table)
      let [id, epoch] = [0, 0]
      for (const each of steps) {
        const { topic, partition } = "place" in each ? each.place : { topic: "", partition: 0 }
        if (each.kind === "append") for (let n = 0; n < each.count; n++) table.at(topic, partition)?.append("v")
        else if (each.kind === "raise") table.at(topic, partition)?.raise(each.to)
        else if (each.kind === "lead") table.at(topic, partition)?.lead(each.epoch)
        else if (each.kind === "remove") table.remove(topic)
        else if (each.kind === "create") {
          table.remove(topic)
          table.create(topic, 3)
        } else {
          const topics = each.asked.map((one) => ({
            topic: one.place.topic,
            topicId: zeroTopicId,
            partitions: [wanted(one.place.partition, one.from, one.bytesMax, one.epoch)]
          }))
          // One place is asked for once: the other order is no business of the session's.
          const places = new Set(topics.map((one) => `${one.topic} ${one.partitions[0]?.partition}`))
          if (places.size < topics.length || (id === 0 && topics.length === 0)) continue
          const forgottenTopicsData = id === 0 ? [] : each.forgotten.map((one) => ({ topic: one.topic, topicId: zeroTopicId, partitions: [one.partition] }))
          const answer = now(id, epoch, [], { topics, forgottenTopicsData, maxBytes: each.maxBytes })
          kafka.ask(topics)
          kafka.forget(forgottenTopicsData)
          const flat = answer.responses.flatMap((of) => of.partitions.map((one) => [of.topic, one] as const))
          expect(flat).toEqual([...kafka.answer(each.maxBytes, id === 0)])
          id = answer.sessionId ?? 0
          epoch = id === 0 ? 0 : epoch + 1
          expect(sessions.count).toBe(id === 0 ? 0 : 1)
        }
      }
    }),
    { numRuns: 400 }
  )
})
