import { describe, expect, test } from "bun:test"
import { Deferred, Effect, Either, Fiber, Logger, LogLevel, type Scope } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { toSnapshot } from "../../../domain/cluster/snapshot.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import { type ClusterWriter, clusterAggregate, clusterStream } from "../../../src/leader/journal/cluster-aggregate.ts"
import { Conflict, Fenced, Journal, LeaseOver, NotWritten, Unknown } from "../../../src/ports/journal.ts"
import { LogFault } from "../../../src/ports/log-store.ts"
import { openWriter } from "../../../src/stream/writer.ts"
import { addTopic, register, topicId } from "../../domain/cluster/support.ts"
import { type ScriptedJournal, scriptedJournal } from "./scripted-journal.ts"

const open = (snapshotIntervalEvents = 1000) => openWriter(clusterStream, clusterAggregate, { candidate: { nodeId: 0 }, snapshotIntervalEvents })
const submit = (writer: ClusterWriter, command: Command, commandId: string) => writer.submit({ command, commandId, actor: "test", cause: "test" })
const run = <A, E>(journal: ScriptedJournal, work: Effect.Effect<A, E, Journal | Scope.Scope>): Promise<A> =>
  Effect.runPromise(work.pipe(Effect.scoped, Effect.provide(journal.layer)))
const heartbeat = (writer: ClusterWriter) => {
  const { epoch } = [...writer.state().brokers].map(([, broker]) => broker)[0] ?? { epoch: -1 }
  return submit(writer, Command.BrokerHeartbeat({ brokerId: 1, brokerEpoch: epoch, metadataOffset: 99, wantFence: false, wantShutDown: false }), "h")
}
/** One broker, unfenced. */
const withBroker = (writer: ClusterWriter) =>
  Effect.zipRight(
    submit(writer, register(1), "r"),
    Effect.suspend(() => heartbeat(writer))
  )

describe("Writer", () => {
  test("nothing is visible before it is durable: neither state, nor answer, nor a rejection that saw it", () => {
    const journal = scriptedJournal()
    return run(
      journal,
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const writer = yield* open()
        yield* withBroker(writer)
        journal.hold(gate)
        const added = yield* Effect.fork(submit(writer, addTopic("orders"), "a"))
        const again = yield* Effect.fork(Effect.either(submit(writer, addTopic("orders", { topicId: topicId(2) }), "b")))
        yield* Effect.yieldNow().pipe(Effect.repeatN(50))
        const before = writer.end()
        expect(journal.appends()).toBeGreaterThan(2)
        expect([added.unsafePoll(), again.unsafePoll()]).toEqual([null, null])
        yield* Deferred.succeed(gate, undefined)
        const { events, index } = yield* Fiber.join(added)
        expect([events.length, index]).toEqual([4, before])
        expect(yield* Fiber.join(again)).toMatchObject({ _tag: "Left", left: { error: "TOPIC_ALREADY_EXISTS" } })
        expect(writer.end()).toBe(before + 4)
      })
    )
  })
  test("a queue of commands costs one append, and the changes come in order with the state after them", () => {
    const journal = scriptedJournal()
    return run(
      journal,
      Effect.gen(function* () {
        const writer = yield* open()
        yield* withBroker(writer)
        const seen: Array<number> = []
        writer.onChange(({ index, events, state }) => {
          seen.push(index)
          expect(state.index).toBe(index + events.length)
        })
        const before = journal.appends()
        const commands = Array.from({ length: 100 }, (_, n) => ({
          command: addTopic(`t${n}`, { topicId: topicId(n), partitionCount: 1 }),
          commandId: `c${n}`,
          actor: "test",
          cause: "test"
        }))
        const outcomes = yield* writer.submitAll(commands)
        expect(outcomes.filter(Either.isRight).length).toBe(100)
        expect(journal.appends() - before).toBe(1)
        expect(seen.length).toBe(1)
        expect([writer.state().partitionCount, writer.end()]).toEqual([100, 202])
      })
    )
  })
  test("M1, M2, M4: after a restart, with and without a snapshot, the state is the same, and a repeated command gets its first answer", async () => {
    for (const interval of [1000, 3]) {
      const journal = scriptedJournal()
      const first = await run(
        journal,
        Effect.gen(function* () {
          const writer = yield* open(interval)
          yield* withBroker(writer)
          const answer = yield* submit(writer, addTopic("orders"), "client:19:abc/orders")
          yield* submit(writer, addTopic("bills", { topicId: topicId(2) }), "e1-c1-1-1")
          yield* Effect.yieldNow().pipe(Effect.repeatN(20))
          yield* submit(writer, Command.RemoveTopic({ topic: { name: "bills" } }), "e1-c1-1-2")
          yield* Effect.yieldNow().pipe(Effect.repeatN(20))
          return { answer, snapshot: toSnapshot(writer.state()), end: writer.end() }
        })
      )
      expect(journal.snapshot(clusterStream) === undefined).toBe(interval !== 3)
      await run(
        journal,
        Effect.gen(function* () {
          const writer = yield* open(interval)
          expect(toSnapshot(writer.state())).toEqual(first.snapshot)
          const repeated = yield* submit(writer, addTopic("orders", { topicId: topicId(9) }), "client:19:abc/orders")
          expect(repeated).toEqual(first.answer)
          expect(writer.end()).toBe(first.end)
          expect(writer.epoch).toBe(1)
        })
      )
      expect(new Set(journal.entries(clusterStream).map(({ index }) => index)).size).toBe(first.end)
    }
  })
  test("M4: a repetition in the same turn gets the first answer too", () =>
    run(
      scriptedJournal(),
      Effect.gen(function* () {
        const writer = yield* open()
        yield* withBroker(writer)
        const both = yield* writer.submitAll(
          [1, 2].map((n) => ({ command: addTopic("orders", { topicId: topicId(n) }), commandId: "client:19:x/orders", actor: "test", cause: "test" }))
        )
        expect(both[1]).toEqual(both[0] as (typeof both)[0])
        expect(writer.state().partitionCount).toBe(3)
      })
    ))
  test("M3: an event of a type that this version does not know stops the start, and names stream, index and type", async () => {
    const journal = scriptedJournal()
    await run(
      journal,
      Effect.flatMap(open(), (writer) => submit(writer, register(1), "r"))
    )
    const value = new TextEncoder().encode(`{"_tag":"BrokerPainted","v":1,"colour":"red"}`)
    journal.store(clusterStream, { commandId: "x", actor: "x", cause: "x", type: "BrokerPainted", value })
    const fault = await run(journal, Effect.flip(open()))
    expect(fault).toMatchObject({ _tag: "UnreadableEvent", stream: clusterStream, index: 1, type: "BrokerPainted" })
  })
  test.each([
    ["garbage", new Uint8Array([0xff, 0x00, 0x7b])],
    ["a known type with a field missing", new TextEncoder().encode(`{"_tag":"ClusterFounded","v":1}`)],
    ["a version from the future", new TextEncoder().encode(`{"_tag":"ClusterFounded","v":2,"clusterId":"c"}`)]
  ])("M3: %s stops the start", async (_, value) => {
    const journal = scriptedJournal()
    journal.store(clusterStream, { commandId: "x", actor: "x", cause: "x", type: "ClusterFounded", value })
    expect(await run(journal, Effect.flip(open()))).toMatchObject({ _tag: "UnreadableEvent", index: 0 })
  })
  test.each([
    [new Fenced({ stream: clusterStream, epoch: 1, newerEpoch: 2 }), "fenced"],
    [new Conflict({ stream: clusterStream, expected: 0, end: 5 }), "journal"],
    [new Unknown({ stream: clusterStream, cause: new Error("EIO") }), "journal"],
    // The lease ended before the result was settled: the process stands by, and does not end.
    [new Unknown({ stream: clusterStream, cause: new LeaseOver({ stream: clusterStream, epoch: 1, message: "the lease is over" }) }), "fenced"]
  ] as const)("when the journal answers %o, then the writer stops (%s), answers no command and does not retry", (fault, reason) => {
    const journal = scriptedJournal()
    return run(
      journal,
      Effect.gen(function* () {
        const writer = yield* open()
        journal.fail(fault)
        const asked = yield* Effect.fork(submit(writer, register(1), "r"))
        expect(yield* Effect.flip(writer.stopped)).toMatchObject({ _tag: "WriterStopped", stream: clusterStream, reason })
        const later = yield* Effect.fork(submit(writer, register(2), "r2"))
        yield* Effect.yieldNow().pipe(Effect.repeatN(50))
        expect([asked.unsafePoll(), later.unsafePoll()]).toEqual([null, null])
        expect([journal.appends(), writer.end(), writer.state().index]).toEqual([1, 0, 0])
        yield* Fiber.interruptAll([asked, later])
      })
    )
  })
  test("when its journal turns out to be damaged, the writer stops, though no command comes, and says what is damaged", () => {
    const journal = scriptedJournal()
    return run(
      journal,
      Effect.gen(function* () {
        const writer = yield* open()
        yield* withBroker(writer)
        journal.damage(new LogFault({ path: "/j", reason: "corrupt", message: "/j is damaged at byte 7." }))
        expect(yield* Effect.flip(writer.stopped)).toMatchObject({
          message: `${clusterStream}: the leader stops, since its journal is damaged, and a start would not come to the same state. /j is damaged at byte 7.`
        })
      })
    )
  })
  test("on a full disk a command is refused and changes nothing; the same command is done when there is room", () => {
    const journal = scriptedJournal()
    return run(
      journal,
      Effect.gen(function* () {
        const writer = yield* open()
        yield* withBroker(writer)
        const before = writer.state()
        const full = new LogFault({ path: "/data", reason: "full", message: "no space left" })
        journal.fail(new NotWritten({ stream: clusterStream, cause: full }))
        const ask = submit(writer, addTopic("orders"), "client:19:f/orders")
        expect(yield* Effect.flip(ask)).toMatchObject({ error: "KAFKA_STORAGE_ERROR" })
        expect(writer.state()).toBe(before)
        expect((yield* ask).events.length).toBe(4)
      }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
    )
  })
  test("a stream whose partition has too few in-sync replicas refuses a command without an error line, since it does so in each turn", () => {
    const journal = scriptedJournal()
    const errors: Array<string> = []
    const listening = Logger.make<unknown, void>(({ logLevel, message }) => {
      if (LogLevel.greaterThanEqual(logLevel, LogLevel.Warning)) errors.push(String(message))
    })
    return run(
      journal,
      Effect.gen(function* () {
        const writer = yield* open()
        yield* withBroker(writer)
        const tooFew = new LogFault({ path: "orders-0", reason: "offline", message: "fewer replicas are in sync" })
        journal.fail(new NotWritten({ stream: clusterStream, cause: tooFew }))
        const { message } = yield* Effect.flip(submit(writer, addTopic("orders"), "client:19:f/orders"))
        expect(message).toBe(`Nothing was changed: ${clusterStream} takes no entry (fewer replicas are in sync).`)
        expect(errors).toEqual([])
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, listening)))
    )
  })
  test("`when` answers as soon as the state has what is waited for", () =>
    run(
      scriptedJournal(),
      Effect.gen(function* () {
        const writer = yield* open()
        const waiting = yield* Effect.fork(writer.when((cluster) => [...cluster.brokers].find(([id]) => id === (1 as BrokerId))?.[1].epoch))
        yield* Effect.yieldNow()
        yield* submit(writer, register(1), "r")
        expect(yield* Fiber.join(waiting)).toBe(0)
      })
    ))
  // The trim after the next snapshot went up to the one that failed: the spare copy then stood before the journal's start, of no use.
  test("M2: after a snapshot that could not be written, the journal is let go only up to the last one that was", () => {
    const journal = scriptedJournal()
    const trims: Array<number> = []
    const saved: Array<number> = []
    let full = false
    return run(
      journal,
      Effect.gen(function* () {
        const inner = yield* Journal
        const outer = Journal.of({
          ...inner,
          trim: (_, index) => Effect.sync(() => trims.push(index)),
          saveSnapshot: (stream, snapshot) => {
            if (full) return new LogFault({ path: stream, reason: "full", message: "no space" })
            saved.push(snapshot.index)
            return inner.saveSnapshot(stream, snapshot)
          }
        })
        const opened = openWriter(clusterStream, clusterAggregate, { candidate: { nodeId: 0 }, snapshotIntervalEvents: 2, trimAfterSnapshot: true })
        const writer = yield* Effect.provideService(opened, Journal, outer)
        const grow = (name: string) => Effect.zipRight(submit(writer, register(name.length), name), Effect.yieldNow().pipe(Effect.repeatN(50)))
        for (const name of ["a", "aa"]) yield* grow(name)
        full = true
        for (const name of ["aaa", "aaaa"]) yield* grow(name)
        full = false
        for (const name of ["aaaaa", "aaaaaa"]) yield* grow(name)
        expect([saved.length, trims]).toEqual([2, [0, saved[0] as number]])
      }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
    )
  })
})
