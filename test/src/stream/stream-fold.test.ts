import { describe, expect, test } from "bun:test"
import { Cause, Effect, Either, Exit, type Scope } from "effect"
import { ClusterFounded, type Event } from "../../../domain/cluster/event.ts"
import { toSnapshot } from "../../../domain/cluster/snapshot.ts"
import type { Cluster } from "../../../domain/cluster/state.ts"
import type { Rejection } from "../../../domain/kernel/error-code.ts"
import type { Epoch } from "../../../domain/kernel/id.ts"
import { clusterAggregate, clusterStream } from "../../../src/leader/journal/cluster-aggregate.ts"
import { Fenced, Journal } from "../../../src/ports/journal.ts"
import { readOn } from "../../../src/stream/replay.ts"
import { foldOfSnapshot, writeSnapshot } from "../../../src/stream/snapshot.ts"
import { type FoldedEntry, StreamFold } from "../../../src/stream/stream-fold.ts"
import { makeWriter, openWriter } from "../../../src/stream/writer.ts"
import { addTopic, heartbeat, register, topicId } from "../../domain/cluster/support.ts"
import { type ScriptedJournal, scriptedJournal } from "./scripted-journal.ts"

const utf8 = new TextEncoder()
const entryOf = (index: number, type: string, json: string): FoldedEntry => ({ index, type, value: utf8.encode(json), commandId: `c${index}` })
const founded = (index: number, clusterId = "c") => entryOf(index, "ClusterFounded", `{"_tag":"ClusterFounded","v":1,"clusterId":"${clusterId}"}`)
const fold = () => new StreamFold<Cluster, Event>(clusterStream, clusterAggregate)
const run = <A, E>(journal: ScriptedJournal, work: Effect.Effect<A, E, Journal | Scope.Scope>): Promise<A> =>
  Effect.runPromise(work.pipe(Effect.scoped, Effect.provide(journal.layer)))
const command = (commandId: string) => ({ commandId, actor: "test", cause: "test" })
const options = { candidate: { nodeId: 0 }, snapshotIntervalEvents: 1000 }

describe("StreamFold", () => {
  test("an event changes the state and is returned", () => {
    const cluster = fold()
    expect(cluster.take(founded(0))).toEqual(Either.right(new ClusterFounded({ clusterId: "c" })))
    expect([cluster.end, cluster.state.index, cluster.state.clusterId]).toEqual([1, 1, "c"])
  })
  test("an entry that is no event is passed, and its index counts", () => {
    const cluster = fold()
    expect(cluster.take(entryOf(0, "Snapshot", "not json"))).toEqual(Either.right(undefined))
    expect(Either.isRight(cluster.take(founded(1)))).toBe(true)
    expect([cluster.end, cluster.state.index, cluster.state.clusterId]).toEqual([2, 2, "c"])
  })
  const unreadable: ReadonlyArray<readonly [what: string, entry: FoldedEntry]> = [
    ["a type that this version does not know", entryOf(1, "ClusterPainted", `{"_tag":"ClusterPainted","v":1}`)],
    ["garbage", { ...founded(1), value: new Uint8Array([0xff, 0x7b]) }],
    ["an index that is not the next one", founded(2)],
    ["an index that was folded before", founded(0)]
  ]
  test.each(unreadable)("M1, M3: %s is refused with its index and type, and nothing is folded", (_, entry) => {
    const cluster = fold()
    cluster.take(founded(0))
    const taken = cluster.take(entry)
    expect(Either.isLeft(taken) && taken.left).toMatchObject({ _tag: "UnreadableEvent", stream: clusterStream, index: entry.index, type: entry.type })
    expect([cluster.end, cluster.state.index]).toEqual([1, 1])
  })
  test("M2: a fold of a snapshot continues where the snapshot was taken", () => {
    const before = fold()
    before.take(founded(0, "first"))
    const index = before.end
    const value = writeSnapshot(clusterAggregate, before.state, [])
    const after = Either.getOrThrow(foldOfSnapshot(clusterStream, clusterAggregate, { index, value }))
    for (const each of [before, after]) each.take(founded(1, "second"))
    expect([after.snapshotIndex, after.end, toSnapshot(after.state)]).toEqual([1, 2, toSnapshot(before.state)])
  })
})

describe("a fold that is handed over", () => {
  /** A standby: it folds what another leader writes, and takes the stream over. */
  const takeOver = (standby: StreamFold<Cluster, Event, Rejection>) =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const taken = yield* journal.campaign(clusterStream, options.candidate)
      yield* readOn(journal, standby, taken.end)
      return yield* makeWriter({ aggregate: clusterAggregate, taken, fold: standby, options })
    })
  test("M1, M4: the writer decides on the standby's state, at its index, and repeats the answers that it knows", async () => {
    const journal = scriptedJournal()
    await run(
      journal,
      Effect.gen(function* () {
        const standby = new StreamFold<Cluster, Event, Rejection>(clusterStream, clusterAggregate)
        const writer = yield* openWriter(clusterStream, clusterAggregate, options)
        yield* writer.submit({ ...command("r"), command: register(1) })
        yield* readOn(yield* Journal, standby, writer.end())
        expect(standby.end).toBe(1)
        yield* writer.submit({ ...command("h"), command: heartbeat(1)(writer.state()) })
        const first = yield* writer.submit({ ...command("client:19:a/orders"), command: addTopic("orders") })
        const successor = yield* takeOver(standby)
        expect([successor.end(), successor.epoch > writer.epoch, toSnapshot(successor.state())]).toEqual([writer.end(), true, toSnapshot(writer.state())])
        expect(yield* successor.submit({ ...command("client:19:a/orders"), command: addTopic("orders", { topicId: topicId(7) }) })).toEqual(first)
        yield* successor.submit({ ...command("b"), command: addTopic("bills", { topicId: topicId(2) }) })
        // M5: the leader before hears that another has a newer epoch.
        yield* Effect.fork(writer.submit({ ...command("late"), command: addTopic("late", { topicId: topicId(3) }) }))
        expect((yield* Effect.flip(writer.stopped)).message).toContain(`another leader holds epoch ${successor.epoch}`)
      })
    )
  })
  test("M5: a process that won, was stopped, and has read what its successor appended leads no more, which is no bug", () =>
    run(
      scriptedJournal(),
      Effect.gen(function* () {
        const journal = yield* Journal
        const successor = yield* openWriter(clusterStream, clusterAggregate, options)
        yield* successor.submit({ ...command("r"), command: register(1) })
        const ahead = new StreamFold<Cluster, Event, Rejection>(clusterStream, clusterAggregate)
        yield* readOn(journal, ahead, successor.end())
        const lost = new Fenced({ stream: clusterStream, epoch: 0 as Epoch, newerEpoch: successor.epoch })
        const won = { start: 0, end: 0, epoch: 0 as Epoch, isHeld: () => true, lost: Effect.delay(Effect.fail(lost), 20) }
        const standby = { state: () => ahead.state, end: () => ahead.end, failed: Effect.never, handOver: () => Effect.succeed(ahead) }
        const opened = openWriter(clusterStream, clusterAggregate, { ...options, standby })
        const stopped = yield* Effect.flip(Effect.provideService(opened, Journal, { ...journal, campaign: () => Effect.succeed(won) }))
        expect(stopped).toMatchObject({ _tag: "WriterStopped", reason: "fenced" })
      })
    ))
  test("a fold that is not at the end of the journal is a bug: its writer would decide on an old state", () =>
    run(
      scriptedJournal(),
      Effect.gen(function* () {
        const writer = yield* openWriter(clusterStream, clusterAggregate, options)
        yield* writer.submit({ ...command("r"), command: register(1) })
        const taken = yield* (yield* Journal).campaign(clusterStream, options.candidate)
        const behind = new StreamFold<Cluster, Event, Rejection>(clusterStream, clusterAggregate)
        const made = yield* Effect.exit(makeWriter({ aggregate: clusterAggregate, taken, fold: behind, options }))
        expect(Exit.isFailure(made) ? Cause.pretty(made.cause) : "made").toContain("a writer begins with the fold of 0 entries, and the journal has 1")
      })
    ))
})
