import { describe, expect, test } from "bun:test"
import { Effect, Either, Fiber } from "effect"
import fc from "fast-check"
import { VirtualClock } from "../../../../../adapters/clock/virtual-clock.ts"
import { zeroTopicId } from "../../../../../domain/kernel/id.ts"
import { crc32c } from "../../../../../domain/log/crc32c.ts"
import { type Client, ClusterClient } from "../../../../../src/client/cluster/client.ts"
import { type FetchPartition, FetchSession } from "../../../../../src/client/consumer/fetch/fetch-session.ts"
import { Fetcher } from "../../../../../src/client/consumer/fetch/fetcher.ts"
import { PartitionReader } from "../../../../../src/client/consumer/fetch/partition-reader.ts"
import { FetchConfig } from "../../../../../src/client/consumer/fetch/settings.ts"
import { consumerSettings } from "../../../../../src/client/consumer/options.ts"
import { type ClientDefect, NotReachable } from "../../../../../src/client/error.ts"
import { syncRandomFrom } from "../../../../../src/client/runtime/random.ts"
import { Fetch } from "../../../../../src/protocol/message/01-fetch.ts"
import type { RequestDraft } from "../../../../../src/protocol/type/wire.ts"
import { Deadlines } from "../../../../../src/serve/deadlines.ts"
import { fetch } from "../../../../../src/serve/fetch/fetch.ts"
import { FetchSessions } from "../../../../../src/serve/fetch/fetch-sessions.ts"
import { route } from "../../../../../src/wire/route.ts"
import { call } from "../../../broker/support.ts"
import { FakeTable } from "../../../serve/fake-partition.ts"

const place = (partition: number, from = 0, topicId: string = zeroTopicId): FetchPartition => ({
  topic: "a",
  topicId,
  partition,
  from,
  leaderEpoch: 0,
  bytesMax: 100
})

describe("the client's end of a fetch session", () => {
  test("says what has changed, and names what it no longer wants", () => {
    const session = new FetchSession()
    expect(session.next([place(0), place(1)], true)).toEqual({ sessionId: 0, sessionEpoch: 0, changed: [place(0), place(1)], forgotten: [] })
    session.onResponse(7)
    expect(session.next([place(0, 5), place(2)], true)).toEqual({ sessionId: 7, sessionEpoch: 1, changed: [place(0, 5), place(2)], forgotten: [place(1)] })
    session.onResponse(7)
    expect(session.next([place(2), place(0, 5)], true)).toEqual({ sessionId: 7, sessionEpoch: 2, changed: [], forgotten: [] })
  })

  test("says everything again after anything that it did not understand, and closes the session that it had", () => {
    const session = new FetchSession()
    session.next([place(0)], true)
    session.onResponse(7)
    session.restart()
    expect(session.next([place(0)], true)).toMatchObject({ sessionId: 7, sessionEpoch: 0, changed: [place(0)] })
    session.onResponse(8)
    session.next([], true)
    // An answer of another session.
    session.onResponse(9)
    expect(session.next([place(0)], true)).toMatchObject({ sessionId: 8, sessionEpoch: 0, changed: [place(0)] })
    session.onResponse(8)
    expect(session.next([place(0)], false)).toMatchObject({ sessionId: 8, sessionEpoch: 0, changed: [place(0)] })
    session.onResponse(0)
    expect(session.next([place(0)], false)).toMatchObject({ sessionId: 0, sessionEpoch: 0, changed: [place(0)] })
  })

  test("a topic that was made again is no change that a session could tell", () => {
    const session = new FetchSession()
    session.next([place(0)], true)
    session.onResponse(7)
    expect(session.next([place(0, 0, "AAAAAAAAAAAAAAAAAAAABA")], true)).toMatchObject({ sessionEpoch: 0, forgotten: [] })
  })
})

const topics = ["a", "b"]
const partitionsOf = [0, 1, 2, 3]

/** A client and a node that keep sessions, over a network that loses what it is told to lose. */
class World {
  readonly table = new FakeTable()
  readonly calls: Array<RequestDraft<typeof Fetch>> = []
  loseRequest = false
  loseAnswer = false
  /** The user does not poll: buffers fill. */
  isHolding = false
  readonly fetcher: Fetcher
  /** What was handed out of each partition: the topic's id and the offset. */
  readonly given = new Map<string, Array<readonly [topicId: string, offset: number]>>()
  private readonly ids = new Map<string, string>()
  private readonly readers = new Map<string, PartitionReader>()
  private sessions: FetchSessions

  private readonly deadlines: Deadlines

  constructor(
    private readonly clock: VirtualClock,
    private readonly version: number,
    private readonly slots: number
  ) {
    this.deadlines = new Deadlines(clock, (effect) => clock.fork(effect))
    this.sessions = this.newSessions()
    for (const topic of topics) this.make(topic)
    const node = { id: 1, address: { host: "node", port: 1 }, rack: null }
    const look = () => {
      const seen = topics.map((name) => {
        const partitions = partitionsOf.map((partition) => ({ partition, leader: 1, leaderEpoch: this.table.at(name, partition)?.epoch ?? -1 }))
        return [name, { name, topicId: this.idOf(name), partitions }] as const
      })
      return { nodes: new Map([[1, node]]), topics: new Map(seen) }
    }
    let view = look()
    const client = {
      random: syncRandomFrom(1),
      options: { requestTimeoutMs: 5000 },
      metadata: { view: () => view, refresh: () => Effect.sync(() => void (view = look())) },
      pool: { call: (_address: unknown, _api: unknown, request: RequestDraft<typeof Fetch>) => this.ask(request) }
    }
    const listener = {
      onArrived: () => this.take(),
      onOutOfRange: (reader: PartitionReader) => reader.seek(0),
      onRecreated: () => {},
      onNode: () => {},
      onDefect: (fault: ClientDefect) => {
        throw fault
      }
    }
    const settings = consumerSettings({ leader: "node:1", fetchWaitMs: 100, partitionBytesMax: 300, fetchBytesMax: 700 })
    this.fetcher = Effect.runSync(
      Fetcher.make(listener).pipe(
        Effect.provideService(ClusterClient, client as unknown as Client),
        Effect.provideService(FetchConfig, settings),
        Effect.withClock(clock)
      )
    )
  }

  /** A client of an older node knows no ids. */
  private idOf(topic: string): string {
    return this.version < 13 ? zeroTopicId : (this.ids.get(topic) ?? zeroTopicId)
  }
  make(topic: string): void {
    this.table.remove(topic)
    this.ids.set(topic, this.table.create(topic, partitionsOf.length))
  }
  private newSessions(): FetchSessions {
    return new FetchSessions({ slots: this.slots, now: () => this.clock.unsafeCurrentTimeMillis(), random: syncRandomFrom(this.calls.length).next })
  }
  /** The node forgets everything, as after a restart. */
  forget(): void {
    this.sessions = this.newSessions()
  }

  private ask(request: RequestDraft<typeof Fetch>) {
    const lost = new NotReachable({ addresses: ["node"], reason: "lost" })
    const { find } = this.table
    return Effect.suspend(() => {
      this.calls.push(request)
      if (this.calls.length > 5000) return Effect.dieMessage("The client asks without end: what it was given does not take it further.")
      if (this.loseRequest) {
        this.loseRequest = false
        return Effect.fail(lost)
      }
      const routes = [
        route(
          Fetch,
          {},
          fetch({ find, findLeader: () => undefined, clusterId: () => undefined, fetchBytesMax: 700, sessions: this.sessions, deadlines: this.deadlines })
        )
      ]
      return Effect.flatMap(Effect.orDie(call(routes, Fetch, this.version, request)), (answer) => {
        if (answer !== undefined && !this.loseAnswer) return Effect.succeed(answer)
        this.loseAnswer = false
        return Effect.fail(lost)
      })
    })
  }

  /** Reads these partitions, each from the last delivered message. One that is subscribed again gets a new reader. */
  subscribe(wanted: ReadonlySet<string>): void {
    this.take(true)
    for (const [key, reader] of this.readers)
      if (!wanted.has(key)) {
        reader.close()
        this.readers.delete(key)
      }
    for (const key of wanted) {
      if (this.readers.has(key)) continue
      const [topic = "", partition = ""] = key.split("-")
      const [id, last] = this.given.get(key)?.at(-1) ?? [this.idOf(topic), -1]
      this.readers.set(key, new PartitionReader(topic, id, Number(partition), last + 1))
    }
    this.fetcher.follow([...this.readers.values()])
  }

  take(always = false): void {
    if (this.isHolding && !always) return
    for (const [key, reader] of this.readers) {
      const given = this.given.get(key) ?? []
      this.given.set(key, given)
      reader.take(1000, { crc32c, decompress: () => Either.left({ message: "none" }), batchBytesMax: 1000 }, ({ offset }) =>
        given.push([reader.topicId, offset])
      )
    }
    this.fetcher.wake()
  }

  /** What is read now of partitions that were not read to their ends, or not in order. */
  wrong(): ReadonlyArray<string> {
    return [...this.readers.keys()].flatMap((key) => {
      const [topic = "", partition = ""] = key.split("-")
      const of = new Map<string, Array<number>>()
      for (const [id, offset] of this.given.get(key) ?? []) of.set(id, [...(of.get(id) ?? []), offset])
      const disorder = [...of].filter(([, offsets]) => offsets.some((offset, at) => offset !== at)).map(([id, offsets]) => `${key} of ${id}: ${offsets}`)
      const end = this.table.at(topic, Number(partition))?.end() ?? 0
      const read = of.get(this.idOf(topic))?.length ?? 0
      return read === end ? disorder : [...disorder, `${key}: read ${read} of ${end}`]
    })
  }
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("append" as const),
      topic: fc.constantFrom(...topics),
      partition: fc.nat(3),
      count: fc.integer({ min: 1, max: 6 })
    })
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("lose the request" as const, "lose the answer" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("forget" as const, "hold" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("subscribe" as const),
      places: fc.uniqueArray(fc.tuple(fc.constantFrom(...topics), fc.nat(3)), { maxLength: 8, selector: String })
    })
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("make again" as const), topic: fc.constantFrom(...topics) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("lead again" as const), topic: fc.constantFrom(...topics) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 400 }) }) }
)

/** Runs the steps, lets everything settle, and answers what is wrong then. */
const outcome = (steps: ReadonlyArray<typeof step extends fc.Arbitrary<infer A> ? A : never>, version: number, slots: number) => {
  const clock = new VirtualClock()
  const life = Effect.gen(function* () {
    const world = new World(clock, version, slots)
    const run = yield* Effect.fork(world.fetcher.run)
    world.subscribe(new Set(["a-0", "a-1", "b-0"]))
    for (const each of steps) {
      if (each.kind === "append") for (let n = 0; n < each.count; n++) world.table.at(each.topic, each.partition)?.append("v".repeat(20))
      else if (each.kind === "lose the request") world.loseRequest = true
      else if (each.kind === "lose the answer") world.loseAnswer = true
      else if (each.kind === "forget") world.forget()
      else if (each.kind === "hold") {
        world.isHolding = !world.isHolding
        world.take()
      } else if (each.kind === "subscribe") world.subscribe(new Set(each.places.map(([topic, partition]) => `${topic}-${partition}`)))
      else if (each.kind === "wait") yield* Effect.sleep(each.ms)
      else if (each.kind === "lead again")
        for (const partition of partitionsOf) world.table.at(each.topic, partition)?.lead((world.table.at(each.topic, partition)?.epoch ?? 0) + 1)
      // Without ids a client cannot tell a topic from one that had its name before.
      else if (each.kind === "make again" && version >= 13) world.make(each.topic)
      if (each.kind !== "append") yield* Effect.yieldNow()
    }
    world.isHolding = false
    world.take()
    yield* Effect.sleep(8000)
    yield* Fiber.interrupt(run)
    return { wrong: world.wrong(), calls: world.calls }
  })
  return clock.run(life)
}

describe("a client and a node with sessions", () => {
  for (const [version, slots] of [
    [17, 2],
    [12, 2],
    [17, 0]
  ] as const)
    test(`every record once and in order, in version ${version} with ${slots} places for sessions, whatever is lost or forgotten`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
          expect((await outcome(steps, version, slots)).wrong).toEqual([])
        }),
        { numRuns: 40 }
      )
    }, 300_000)

  test("a partition is named once and then only when it has moved", async () => {
    const quiet = Array.from({ length: 5 }, () => ({ kind: "wait" as const, ms: 100 }))
    const { calls, wrong } = await outcome([{ kind: "append", topic: "a", partition: 0, count: 1 }, ...quiet], 17, 2)
    expect(wrong).toEqual([])
    const named = calls.map(({ topics: asked = [] }) => asked.reduce((sum, { partitions }) => sum + partitions.length, 0))
    expect(named.length).toBeGreaterThan(50)
    expect(named.filter((count) => count > 0)).toEqual([3, 1])
  })
})
