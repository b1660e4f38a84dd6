import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { Chunk, Clock, Effect, Either, Exit, Fiber, type Layer, Logger, LogLevel, Option, Scope, Stream } from "effect"
import fc from "fast-check"
import { verify } from "../../../domain/log/batch.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { decodeRecords } from "../../../domain/log/record.ts"
import { type Candidate, type Entry, Journal, type Taken } from "../../../src/ports/journal.ts"
import type { DirectoryLocked, LogFault } from "../../../src/ports/log-store.ts"
import { entriesTo } from "../../../src/stream/replay.ts"
import { batchesIn } from "./log-batches.ts"

type Service = Journal["Type"]

/** A journal that can be started again and again over what it kept. */
export interface JournalWorld {
  readonly layer: Layer.Layer<Journal, DirectoryLocked | LogFault>
  readonly end: () => void
  /**
   * Lets another candidate lead the stream while the one before takes itself for its leader. Default: it campaigns on
   * the same journal, where over files the newer one leads at once.
   */
  readonly takeOver?: (journal: Service) => Effect.Effect<Held, LogFault, Scope.Scope>
  /** Several processes share the engine: a candidate waits until the leader before it is gone. */
  readonly isShared?: boolean
  /** How effects run; default: in real time. */
  readonly run?: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
  /** Appends of the two rivals. */
  readonly rivalAppends: number
}

/** A journal, and a stream that a candidate holds in it. */
export interface Held {
  readonly journal: Service
  readonly taken: Taken
}

export const withJournal = <A, E>(world: JournalWorld, use: (journal: Service) => Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  (world.run ?? Effect.runPromise)(Effect.flatMap(Journal, use).pipe(Effect.scoped, Effect.provide(world.layer), Logger.withMinimumLogLevel(LogLevel.Error)))

export const stream = "__cluster_metadata"
const groupStream = "__group_metadata-3"

export const entry = (n: number, size = 10): Entry => ({
  commandId: `command-${n}`,
  actor: "client-é@127.0.0.1:4711",
  cause: "CreateTopics",
  type: `Event${n % 3}`,
  value: new TextEncoder().encode(JSON.stringify({ n, text: "x".repeat(size) }))
})

export const candidate: Candidate = { nodeId: 1, address: "127.0.0.1:9092" }

/** The index after the last durable entry, as followers of the topic see it. */
const endOf = (journal: Service, from: number, of: string): number =>
  Either.match(journal.batches(of, from, 1 << 30), {
    onLeft: () => Number.POSITIVE_INFINITY,
    onRight: (views) => batchesIn(views).at(-1)?.nextOffset ?? from
  })
export const readAll = (journal: Service, from: number, of = stream) =>
  Effect.suspend(() => Effect.map(Stream.runCollect(entriesTo(journal, of, from, endOf(journal, from, of))), Chunk.toReadonlyArray))

/** Runs at a time of its own: the machine's may be set back while a test runs. */
const atTime = <A, E, R>(ms: number, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.clockWith((clock) =>
    Effect.withClock(effect, {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      currentTimeMillis: Effect.succeed(ms),
      unsafeCurrentTimeMillis: () => ms,
      currentTimeNanos: clock.currentTimeNanos,
      unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
      sleep: (duration) => clock.sleep(duration)
    })
  )

/** What every Journal does. */
export const journalContract = (adapter: string, makeWorld: () => JournalWorld): void => {
  describe(`Journal: ${adapter}`, () => {
    let world: JournalWorld
    beforeEach(() => {
      world = makeWorld()
    })
    afterEach(() => world.end())
    appending(() => world)
    following(() => world)
    fencing(() => world)
    rivals(() => world)
    snapshots(() => world)
  })
}

const appending = (world: () => JournalWorld): void => {
  test("entries are read as they were stored, in order, with index and time; also after a restart", async () => {
    const stored = [0, 1, 2, 3, 4].map((n) => entry(n, n * 100))
    const expected = stored.map((each, index) => ({ ...each, index, timestamp: index < 2 ? 1000 : 3000 }))
    await withJournal(world(), (journal) =>
      Effect.gen(function* () {
        const { end, epoch, start } = yield* journal.campaign(stream, candidate)
        expect([start, end]).toEqual([0, 0])
        yield* atTime(1000, journal.append(stream, epoch, 0, stored.slice(0, 2)))
        yield* atTime(3000, journal.append(stream, epoch, 2, stored.slice(2)))
        expect(yield* readAll(journal, 0)).toEqual(expected)
        expect(yield* readAll(journal, 3)).toEqual(expected.slice(3))
        expect(yield* readAll(journal, 5)).toEqual([])
      })
    )
    await withJournal(world(), (journal) =>
      Effect.gen(function* () {
        expect((yield* journal.campaign(stream, candidate)).end).toBe(5)
        expect(yield* readAll(journal, 0)).toEqual(expected)
      })
    )
  })

  test("an append is one batch that any Kafka client reads: key, JSON, headers, leader epoch", () =>
    withJournal(world(), (journal) =>
      Effect.gen(function* () {
        const { epoch } = yield* journal.campaign(stream, candidate)
        yield* journal.append(stream, epoch, 0, [entry(0), entry(1)])
        yield* journal.append(stream, epoch, 2, [entry(2)])
        const batches = batchesIn(Either.getOrThrow(journal.batches(stream, 0, 1_000_000)))
        expect(batches.map(({ baseOffset, recordCount, partitionLeaderEpoch, codec }) => [baseOffset, recordCount, partitionLeaderEpoch, codec])).toEqual([
          [0, 2, epoch, "none"],
          [2, 1, epoch, "none"]
        ])
        for (const batch of batches) expect(verify(batch, crc32c)).toBeUndefined()
        const [first] = batches
        const records = first === undefined ? [] : Either.getOrThrow(decodeRecords(first, first.records))
        const text = (bytes: Uint8Array | null | undefined) => new TextDecoder().decode(bytes ?? new Uint8Array(0))
        expect([text(records[1]?.key), text(records[1]?.value), records[1]?.headers.map(({ key, value }) => [key, text(value)])]).toEqual([
          "Event1",
          JSON.stringify({ n: 1, text: "xxxxxxxxxx" }),
          [
            ["command-id", "command-1"],
            ["actor", "client-é@127.0.0.1:4711"],
            ["cause", "CreateTopics"]
          ]
        ])
        expect(batchesIn(Either.getOrThrow(journal.batches(stream, 2, 0))).map(({ baseOffset }) => baseOffset)).toEqual([2])
        expect(Either.getOrThrow(journal.batches(stream, 3, 1000))).toEqual([])
      })
    ))

  test("an append where the end is not is a conflict, and changes nothing; of many at once each index is taken once", () =>
    withJournal(world(), (journal) =>
      Effect.gen(function* () {
        const { epoch } = yield* journal.campaign(stream, candidate)
        yield* journal.append(stream, epoch, 0, [entry(0)])
        for (const expected of [0, 2])
          expect(yield* Effect.flip(journal.append(stream, epoch, expected, [entry(9)]))).toMatchObject({ _tag: "Conflict", expected, end: 1 })
        yield* journal.append(stream, epoch, 1, [])
        const outcomes = yield* Effect.forEach([1, 2, 3, 4], (n) => Effect.either(journal.append(stream, epoch, 1, [entry(n)])), { concurrency: "unbounded" })
        expect(outcomes.filter(Either.isRight)).toHaveLength(1)
        expect((yield* readAll(journal, 0)).map(({ index }) => index)).toEqual([0, 1])
      })
    ))

  test("M1: streams are apart from each other; a name that is none is refused", () =>
    withJournal(world(), (journal) =>
      Effect.gen(function* () {
        const cluster = yield* journal.campaign(stream, candidate)
        const group = yield* journal.campaign(groupStream, candidate)
        yield* journal.append(groupStream, group.epoch, 0, [entry(7)])
        yield* journal.append(stream, cluster.epoch, 0, [entry(8), entry(9)])
        expect((yield* readAll(journal, 0, groupStream)).map(({ commandId }) => commandId)).toEqual(["command-7"])
        for (const name of ["", "orders", "__group_metadata", "__group_metadata-x", "__group_metadata-01", "../x"])
          expect((yield* Effect.flip(journal.campaign(name, candidate))).message).toMatch(/No stream is called/)
        expect(Either.isLeft(journal.batches("__group_metadata-9", 0, 10))).toBe(true)
      })
    ))

  test(
    "M1: any appends and restarts give one sequence without gaps, each entry with its first index",
    () =>
      fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.oneof({ weight: 4, arbitrary: fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 5 }) }, fc.constant("restart" as const)),
            { maxLength: 12 }
          ),
          async (commands) => {
            const mine = world()
            const before = await withJournal(mine, (journal) => Effect.map(journal.campaign(stream, candidate), ({ end }) => end))
            const model: Array<string> = []
            let at = 0
            while (at < commands.length)
              await withJournal(mine, (journal) =>
                Effect.gen(function* () {
                  const { end, epoch } = yield* journal.campaign(stream, candidate)
                  expect(end).toBe(before + model.length)
                  for (let command = commands[at++]; command !== undefined && command !== "restart"; command = commands[at++]) {
                    const entries = command.map((size, i) => entry(before + model.length + i, size))
                    yield* journal.append(stream, epoch, before + model.length, entries)
                    model.push(...entries.map(({ commandId }) => commandId))
                  }
                  const found = yield* readAll(journal, before)
                  expect(found.map(({ commandId }) => commandId)).toEqual(model)
                  expect(found.map(({ index }) => index)).toEqual(model.map((_, i) => before + i))
                })
              )
          }
        ),
        { numRuns: 15 }
      ),
    300_000
  )
}

const following = (world: () => JournalWorld): void => {
  test("a follower gets the entries that are there and those to come, in order, each once; it ends when the stream is released", () =>
    withJournal(world(), (journal) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { epoch } = yield* Scope.extend(journal.campaign(stream, candidate), scope)
        yield* journal.append(stream, epoch, 0, [entry(0), entry(1)])
        const seen: Array<string> = []
        const follower = yield* Effect.fork(
          Stream.runForEach(journal.follow(stream, 1), ({ commandId, index }) => Effect.sync(() => seen.push(`${index} ${commandId}`)))
        )
        const late = yield* Effect.fork(Stream.runHead(journal.follow(stream, 30)))
        for (let n = 2; n < 40; n += 2) {
          yield* journal.append(stream, epoch, n, [entry(n), entry(n + 1)])
          yield* Effect.yieldNow()
        }
        expect(Option.getOrThrow(yield* Fiber.join(late)).commandId).toBe("command-30")
        while (seen.length < 39) yield* Effect.sleep(1)
        expect(seen).toEqual(Array.from({ length: 39 }, (_, i) => `${i + 1} command-${i + 1}`))
        yield* Scope.close(scope, Exit.void)
        if (world().isShared === true) return yield* Fiber.interrupt(follower)
        expect(yield* Effect.flip(Fiber.join(follower))).toMatchObject({ _tag: "LogFault", reason: "offline" })
      })
    ))
}

/** Every so many appends the leadership changes. */
const appendsPerReign = 97

/** Another candidate leads, and the one before does not know it yet. */
const takeOverIn = ({ takeOver }: JournalWorld, journal: Service): Effect.Effect<Held, LogFault, Scope.Scope> =>
  takeOver?.(journal) ?? Effect.map(journal.campaign(stream, candidate), (taken) => ({ journal, taken }))

/** The leader of this epoch leads no more: another has fenced it, or its lease is over. */
const expectOver = (fault: { readonly _tag: string; readonly epoch?: number }, epoch: number): void => {
  expect(["Fenced", "LeaseOver"]).toContain(fault._tag)
  expect(fault.epoch).toBe(epoch)
}

/** Over files each append has its sync, which may take 50 ms and more on a busy disk. A million appends take longer than the tests do. */
const rivalsTimeoutMs = process.env.FRANZ_JOURNAL_APPENDS === undefined ? 1_800_000 : 14_400_000

const rivals = (world: () => JournalWorld): void => {
  test(
    "M1, M5: two rivals lead in turn: no index twice, no acknowledged entry missing, nothing of a leader after its successor",
    () => {
      const { rivalAppends } = world()
      return withJournal(world(), (journal) =>
        Effect.gen(function* () {
          let held: Held = { journal, taken: yield* journal.campaign(stream, candidate) }
          const acknowledged: Array<string> = []
          for (let n = 0; n < rivalAppends; n++) {
            if (n % appendsPerReign === appendsPerReign - 1) {
              const before = held
              held = yield* takeOverIn(world(), before.journal)
              expect(held.taken.end).toBe(n)
              expectOver(yield* Effect.flip(before.journal.append(stream, before.taken.epoch, n, [entry(-1)])), before.taken.epoch)
            }
            const { commandId } = entry(n)
            yield* held.journal.append(stream, held.taken.epoch, n, [entry(n)])
            acknowledged.push(commandId)
          }
          const found = yield* readAll(held.journal, 0)
          expect(found.map(({ index }) => index)).toEqual(acknowledged.map((_, index) => index))
          expect(found.map(({ commandId }) => commandId)).toEqual(acknowledged)
        })
      )
    },
    rivalsTimeoutMs
  )
}

const fencing = (world: () => JournalWorld): void => {
  test("M5: a newer holder fences the older; epochs rise over restarts, also when nothing was appended", async () => {
    const epochs: Array<number> = []
    for (let restart = 0; restart < 3; restart++)
      await withJournal(world(), (journal) => Effect.map(journal.campaign(stream, candidate), ({ epoch }) => void epochs.push(epoch)))
    await withJournal(world(), (journal) =>
      Effect.gen(function* () {
        const older = yield* journal.campaign(stream, candidate)
        const { journal: other, taken: newer } = yield* takeOverIn(world(), journal)
        // The older one learns it without an append of its own.
        expectOver(yield* Effect.flip(older.lost), older.epoch)
        expect([older.isHeld(), newer.isHeld()]).toEqual([false, true])
        epochs.push(older.epoch, newer.epoch)
        expectOver(yield* Effect.flip(journal.append(stream, older.epoch, 0, [entry(0)])), older.epoch)
        yield* other.append(stream, newer.epoch, 0, [entry(1)])
        expect(yield* readAll(other, 0)).toHaveLength(1)
      })
    )
    expect(epochs).toEqual(epochs.toSorted((a, b) => a - b))
    expect(new Set(epochs).size).toBe(epochs.length)
  })

  test("two that open at once get different epochs; a stream is let go of when its last holder is gone", () =>
    withJournal(world(), (journal) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        if (world().isShared === true) return yield* inTurn(journal)
        const opened = yield* Effect.forEach([1, 2, 3], () => Scope.extend(journal.campaign(stream, candidate), scope), { concurrency: "unbounded" })
        expect(new Set(opened.map(({ epoch }) => epoch)).size).toBe(3)
        yield* Scope.close(scope, Exit.void)
        expect(yield* Effect.flip(journal.append(stream, opened[2]?.epoch ?? 0, 0, [entry(0)]))).toMatchObject({ _tag: "NotWritten" })
        expect((yield* journal.campaign(stream, candidate)).epoch).toBeGreaterThan(opened[2]?.epoch ?? 0)
      })
    ))
}

/** Candidates that wait for each other lead one after the other, each under an epoch of its own. */
const inTurn = (journal: Service) =>
  Effect.gen(function* () {
    const lead = Effect.scoped(Effect.tap(journal.campaign(stream, candidate), () => Effect.sleep(1)))
    const led = yield* Effect.forEach([1, 2, 3], () => lead, { concurrency: "unbounded" })
    expect(new Set(led.map(({ epoch }) => epoch)).size).toBe(3)
    expect(yield* Effect.flip(journal.append(stream, led[2]?.epoch ?? 0, 0, [entry(0)]))).toMatchObject({ _tag: "NotWritten" })
  })

const snapshots = (world: () => JournalWorld): void => {
  test("M2: the newest snapshot is kept over a restart; it is never ahead of the entries, and nothing is trimmed without one", async () => {
    const bytes = (text: string) => new TextEncoder().encode(text)
    await withJournal(world(), (journal) =>
      Effect.gen(function* () {
        const { epoch } = yield* journal.campaign(stream, candidate)
        yield* journal.append(stream, epoch, 0, [entry(0), entry(1), entry(2)])
        expect(yield* journal.loadSnapshot(stream)).toBeUndefined()
        expect((yield* Effect.flip(journal.trim(stream, 1))).message).toMatch(/no snapshot/)
        expect((yield* Effect.flip(journal.saveSnapshot(stream, { index: 4, value: bytes("four") }))).message).toMatch(/ahead/)
        yield* journal.saveSnapshot(stream, { index: 1, value: bytes("one") })
        yield* journal.saveSnapshot(stream, { index: 3, value: bytes("three") })
        expect((yield* Effect.flip(journal.trim(stream, 4))).message).toMatch(/no snapshot/)
        yield* journal.trim(stream, 3)
        yield* journal.append(stream, epoch, 3, [entry(3)])
      })
    )
    await withJournal(world(), (journal) =>
      Effect.gen(function* () {
        const { end, start } = yield* journal.campaign(stream, candidate)
        expect([start, end]).toEqual([3, 4])
        expect(yield* journal.loadSnapshot(stream)).toEqual({ index: 3, value: bytes("three") })
        expect((yield* readAll(journal, 3)).map(({ commandId }) => commandId)).toEqual(["command-3"])
        expect((yield* Effect.flip(readAll(journal, 0))).message).toMatch(/no entry 0 any more/)
        expect(Either.isLeft(journal.batches(stream, 0, 100))).toBe(true)
      })
    )
  })
}
