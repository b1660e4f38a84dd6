import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { Effect, Either, Exit, type Layer, Logger, LogLevel, Scope } from "effect"
import fc from "fast-check"
import type { RecordBatch } from "../../../domain/log/batch.ts"
import type { Checksum } from "../../../src/ports/checksum.ts"
import { type DirectoryLocked, type LogFault, LogStore, type PartitionLog } from "../../../src/ports/log-store.ts"
import { batch, batchesFrom, batchesIn, checksum, hex, hexOf, otherTopicId, smallConfig, topicId } from "./log-batches.ts"

/** A data directory that a test owns, with a way to damage it. Paths are relative to it. */
export interface StoreWorld {
  /** A store over the directory, as often as wanted, one at a time. */
  readonly layer: Layer.Layer<LogStore, DirectoryLocked | LogFault, Checksum>
  readonly list: (path: string) => ReadonlyArray<string>
  readonly read: (path: string) => Uint8Array
  readonly write: (path: string, bytes: Uint8Array) => void
  readonly remove: (path: string) => void
  /** The same files in another directory, as a crash of the process would leave them. */
  readonly copy: () => StoreWorld
  readonly end: () => void
}

export type Store = LogStore["Type"]

/** Runs with a store that is closed afterwards. */
export const within = <A, E>(world: StoreWorld, use: (store: Store) => Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(
    Effect.flatMap(LogStore, use).pipe(Effect.scoped, Effect.provide(world.layer), Effect.provide(checksum), Logger.withMinimumLogLevel(LogLevel.Error))
  )

/** Opens the log of the tests, and makes a new one's names durable: only then does it begin a second segment. */
export const openLog = (store: Store) => Effect.tap(store.open(topicId, 0, smallConfig), (log) => log.sync)
/** Appends each batch by itself. */
export const put = (log: PartitionLog, ...batches: ReadonlyArray<RecordBatch>): void => {
  for (const each of batches) Either.getOrThrow(log.append([each]))
}
export const readAll = (log: PartitionLog): ReadonlyArray<RecordBatch> => {
  const all: Array<RecordBatch> = []
  for (let at = log.start(); at < log.end(); ) {
    const some = batchesIn(Either.getOrThrow(log.read(at, 700, log.end())))
    all.push(...some)
    at = some.at(-1)?.nextOffset ?? Number.POSITIVE_INFINITY
  }
  return all
}

export const logDirectory = `${topicId}-0`
export const logFiles = (world: StoreWorld): ReadonlyArray<string> =>
  world
    .list(logDirectory)
    .filter((name) => name.endsWith(".log"))
    .sort()
    .map((name) => `${logDirectory}/${name}`)

const written = batchesFrom(0, [
  { count: 3, valueBytes: 20 },
  { count: 1, valueBytes: 300 },
  { count: 5, valueBytes: 40 },
  { count: 2, valueBytes: 600 },
  { count: 1, valueBytes: 1 },
  { count: 4, valueBytes: 30 },
  { count: 2, valueBytes: 100 }
])

/** What every LogStore does. Damage is tried at every byte, or at every `damageStride`th where an open costs more. */
export const logStoreContract = (adapter: string, makeWorld: () => StoreWorld, { damageStride = 1 }: { readonly damageStride?: number } = {}): void => {
  describe(`LogStore: ${adapter}`, () => {
    let world: StoreWorld
    beforeEach(() => {
      world = makeWorld()
    })
    afterEach(() => world.end())
    reading(() => world)
    durability(() => world)
    keeping(() => world)
    recovering(() => world, damageStride)
  })
}

const reading = (world: () => StoreWorld): void => {
  test("a new log is empty; what is appended is readable at once, and durable after a sync", () =>
    within(world(), (store) =>
      Effect.gen(function* () {
        const log = yield* openLog(store)
        expect([log.start(), log.end(), log.syncedEnd()]).toEqual([0, 0, 0])
        put(log, ...written.slice(0, 2))
        expect([log.start(), log.end(), log.syncedEnd()]).toEqual([0, 4, 0])
        expect(hexOf(readAll(log))).toEqual(hexOf(written.slice(0, 2)))
        yield* log.sync
        expect(log.syncedEnd()).toBe(4)
      })
    ))

  test("a read gives whole batches within its bytes, the first whatever its size, and none from its upper bound on", () =>
    within(world(), (store) =>
      Effect.gen(function* () {
        const log = yield* openLog(store)
        put(log, ...written)
        const read = (from: number, maxBytes: number, upTo = log.end()) =>
          batchesIn(Either.getOrThrow(log.read(from, maxBytes, upTo))).map(({ baseOffset }) => baseOffset)
        expect(read(0, 1)).toEqual([0])
        expect(read(0, 0)).toEqual([0])
        expect(read(2, 1)).toEqual([0])
        expect(read(4, 10_000)).toEqual([4, 9, 11, 12, 16])
        expect(read(4, 10_000, 12)).toEqual([4, 9, 11])
        expect(read(4, 10_000, 11)).toEqual([4, 9])
        expect(read(0, 10_000, 0)).toEqual([])
        expect(read(18, 10_000)).toEqual([])
        const two = (written[0]?.bytes.length ?? 0) + (written[1]?.bytes.length ?? 0)
        expect(read(0, two)).toEqual([0, 3])
        expect(read(0, two - 1)).toEqual([0])
      })
    ))

  test("an offset that does not follow stops the writer: a gap is never written", () =>
    within(world(), (store) =>
      Effect.gen(function* () {
        const log = yield* openLog(store)
        put(log, batch(0, 2))
        expect(() => log.append([batch(3, 1)])).toThrow(/comes next/)
        expect(log.end()).toBe(2)
      })
    ))

  test("a time finds the first batch that reaches it, in whichever segment; a scan visits every header", () =>
    within(world(), (store) =>
      Effect.gen(function* () {
        const log = yield* openLog(store)
        const times = [50, 40, 90, 90, 60, 120, 300, 299, 300, 500, 501]
        times.forEach((time, i) => put(log, batch(i * 2, 2, 150, time)))
        for (const asked of [0, 50, 51, 90, 91, 120, 121, 300, 301, 500, 501, 502]) {
          const expected = times.findIndex((time) => time >= asked)
          expect([asked, Either.getOrThrow(log.batchAtTime(asked))?.baseOffset]).toEqual([asked, expected === -1 ? undefined : expected * 2])
        }
        const seen: Array<number> = []
        yield* log.scan(5, (header) => void seen.push(header.baseOffset))
        expect(seen).toEqual([4, 6, 8, 10, 12, 14, 16, 18, 20])
      })
    ))

  test(
    "L2, L6: any appends, reads and restarts give what a plain list gives",
    () =>
      fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.oneof(
              fc.record({
                kind: fc.constant("append" as const),
                sizes: fc.array(fc.record({ count: fc.integer({ min: 1, max: 5 }), valueBytes: fc.integer({ min: 0, max: 500 }) }), {
                  minLength: 1,
                  maxLength: 4
                })
              }),
              fc.record({ kind: fc.constant("read" as const), at: fc.nat(1000), maxBytes: fc.nat(4000), upTo: fc.nat(1000) }),
              fc.record({ kind: fc.constant("reopen" as const) })
            ),
            { maxLength: 30 }
          ),
          async (commands) => {
            const mine = world().copy()
            const model: Array<RecordBatch> = []
            await within(mine, (store) => followModel(store, model, commands)).finally(mine.end)
          }
        ),
        { numRuns: 25 }
      ),
    300_000
  )
}

type ModelCommand =
  | { readonly kind: "append"; readonly sizes: ReadonlyArray<{ readonly count: number; readonly valueBytes: number }> }
  | { readonly kind: "read"; readonly at: number; readonly maxBytes: number; readonly upTo: number }
  | { readonly kind: "reopen" }

/** The batches that a read of the plain list gives. */
const expectedRead = (model: ReadonlyArray<RecordBatch>, from: number, maxBytes: number, upTo: number): ReadonlyArray<RecordBatch> => {
  let left = maxBytes
  const taken: Array<RecordBatch> = []
  for (const each of model.filter(({ lastOffset, baseOffset }) => lastOffset >= from && baseOffset < upTo)) {
    if (each.bytes.length > left && taken.length > 0) break
    taken.push(each)
    left -= each.bytes.length
    if (left <= 0) break
  }
  return from < upTo ? taken : []
}

const followModel = (store: Store, model: Array<RecordBatch>, commands: ReadonlyArray<ModelCommand>) =>
  Effect.gen(function* () {
    let scope = yield* Scope.make()
    let log = yield* Scope.extend(openLog(store), scope)
    for (const command of commands) {
      const end = model.at(-1)?.nextOffset ?? 0
      if (command.kind === "append") {
        const batches = batchesFrom(end, command.sizes)
        Either.getOrThrow(log.append(batches))
        model.push(...batches)
      } else if (command.kind === "read" && end > 0) {
        const from = command.at % end
        const upTo = command.upTo % (end + 1)
        const found = batchesIn(Either.getOrThrow(log.read(from, command.maxBytes, upTo)))
        expect(hexOf(found)).toEqual(hexOf(expectedRead(model, from, command.maxBytes, upTo)))
      } else if (command.kind === "reopen") {
        yield* Scope.close(scope, Exit.void)
        scope = yield* Scope.make()
        log = yield* Scope.extend(openLog(store), scope)
        expect([log.start(), log.end(), log.syncedEnd()]).toEqual([0, end, end])
      }
    }
    expect(hexOf(readAll(log))).toEqual(hexOf(model))
    yield* Scope.close(scope, Exit.void)
  })

const durability = (world: () => StoreWorld): void => {
  test("callers that wait together are all released, and everything before them is durable", () =>
    within(world(), (store) =>
      Effect.gen(function* () {
        const log = yield* openLog(store)
        yield* Effect.forEach(
          Array.from({ length: 40 }, (_, i) => i),
          () =>
            Effect.gen(function* () {
              const mine = batch(log.end(), 1)
              put(log, mine)
              yield* log.sync
              expect(log.syncedEnd()).toBeGreaterThan(mine.lastOffset)
            }),
          { concurrency: "unbounded" }
        )
        expect(log.syncedEnd()).toBe(40)
      })
    ))

  test("segments before an offset are dropped whole, for good, and the end stays", async () => {
    await within(world(), (store) =>
      Effect.gen(function* () {
        const log = yield* openLog(store)
        for (let i = 0; i < 20; i++) put(log, batch(log.end(), 1, 600))
        expect(logFiles(world()).length).toBeGreaterThan(4)
        const second = Number(logFiles(world())[1]?.slice(-24, -4))
        yield* log.deleteBefore(second - 1)
        expect(log.start()).toBe(0)
        yield* log.deleteBefore(second + 1)
        expect(log.start()).toBe(second)
        expect(batchesIn(Either.getOrThrow(log.read(second, 1, 20)))[0]?.baseOffset).toBe(second)
        yield* log.deleteBefore(20)
        expect([log.start(), log.end()]).toEqual([20, 20])
        put(log, batch(20, 1))
      })
    )
    await within(world(), (store) =>
      Effect.map(openLog(store), (log) => {
        expect([log.start(), log.end()]).toEqual([20, 21])
        expect(logFiles(world())).toHaveLength(1)
      })
    )
  })
}

const keeping = (world: () => StoreWorld): void => {
  test("one store holds a directory, one writer a log, and removed logs are gone", () =>
    within(world(), (store) =>
      Effect.gen(function* () {
        const second = yield* Effect.flip(Effect.scoped(Effect.provide(LogStore, world().layer))).pipe(Effect.provide(checksum))
        expect(second._tag).toBe("DirectoryLocked")
        yield* Effect.scoped(
          Effect.gen(function* () {
            put(yield* openLog(store), batch(0, 1))
            expect((yield* Effect.flip(openLog(store))).message).toMatch(/open already/)
            expect((yield* Effect.flip(store.remove(topicId, 0))).message).toMatch(/open already/)
          })
        )
        yield* Effect.scoped(store.open(otherTopicId, 12, smallConfig))
        expect((yield* store.list).toSorted((a, b) => a.partition - b.partition)).toEqual([
          { topicId, partition: 0 },
          { topicId: otherTopicId, partition: 12 }
        ])
        yield* store.remove(topicId, 0)
        yield* store.remove(topicId, 0)
        expect(yield* store.list).toEqual([{ topicId: otherTopicId, partition: 12 }])
        expect((yield* openLog(store)).end()).toBe(0)
      })
    ))

  test("a log that is set aside keeps its files under another name, three of them at most, until it is removed", () =>
    within(world(), (store) =>
      Effect.gen(function* () {
        const names = () =>
          world()
            .list("")
            .filter((name) => name.startsWith(logDirectory))
            .sort()
        expect(yield* store.setAside(topicId, 0)).toEqual([])
        for (const count of [1, 2, 3, 4]) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const log = yield* openLog(store)
              expect(log.end()).toBe(0)
              put(log, batch(0, count))
              expect((yield* Effect.flip(store.setAside(topicId, 0))).message).toMatch(/open already/)
            })
          )
          expect(yield* store.setAside(topicId, 0)).toEqual([expect.stringMatching(new RegExp(`${logDirectory}\\.damaged(\\.[23])?$`))])
          expect(yield* store.list).toEqual([])
        }
        expect(names()).toEqual(["", ".2", ".3"].map((suffix) => `${logDirectory}.damaged${suffix}`))
        const kept = names().map((name) => batchesIn([world().read(`${name}/00000000000000000000.log`)]).map(({ recordCount }) => recordCount))
        expect(kept).toEqual([[1], [2], [4]])
        yield* Effect.scoped(openLog(store))
        yield* store.remove(topicId, 0)
        expect(names()).toEqual([])
      })
    ))

  test("a directory is claimed once, completed with its cluster, and refused to others", async () => {
    await within(world(), (store) =>
      Effect.gen(function* () {
        expect(yield* store.claim({ clusterId: undefined, nodeId: 4 })).toEqual({ clusterId: undefined, nodeId: 4 })
        expect(yield* store.claim({ clusterId: "c1", nodeId: 4 })).toEqual({ clusterId: "c1", nodeId: 4 })
      })
    )
    await within(world(), (store) =>
      Effect.gen(function* () {
        expect(yield* store.claim({ clusterId: undefined, nodeId: 4 })).toEqual({ clusterId: "c1", nodeId: 4 })
        expect((yield* Effect.flip(store.claim({ clusterId: "c2", nodeId: 4 })))._tag).toBe("ForeignDirectory")
        expect((yield* Effect.flip(store.claim({ clusterId: "c1", nodeId: 5 })))._tag).toBe("ForeignDirectory")
      })
    )
    expect(new TextDecoder().decode(world().read("meta.properties"))).toMatch(
      /^version=1\ncluster.id=c1\nnode.id=4\ndirectory.id=[A-Za-z0-9_][A-Za-z0-9_-]{21}$/m
    )
    world().write("meta.properties", new TextEncoder().encode("version=7\n"))
    await within(world(), (store) =>
      Effect.map(Effect.flip(store.claim({ clusterId: "c1", nodeId: 4 })), (fault) => expect(fault).toMatchObject({ _tag: "LogFault", reason: "corrupt" }))
    )
  })

  test("a directory has an id from its first claim on; one of an older version gets it, and keeps it from then on", async () => {
    const claimed = within(world(), (store) => Effect.map(store.claim({ clusterId: "c1", nodeId: 4 }), () => store.directories.map((each) => each.id())))
    const [first] = await claimed
    expect(first).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/)
    const again = () => within(world(), (store) => Effect.map(store.claim({ clusterId: undefined, nodeId: 4 }), () => store.directories[0]?.id()))
    expect(await again()).toBe(first as string)
    world().write("meta.properties", new TextEncoder().encode("#\nversion=1\ncluster.id=c1\nnode.id=4\n"))
    const second = await again()
    expect(second).toMatch(/^[A-Za-z0-9_-]{22}$/)
    expect(second).not.toBe(first as string)
    expect(await again()).toBe(second as string)
    world().write("meta.properties", new TextEncoder().encode("#\nversion=1\ncluster.id=c1\nnode.id=4\ndirectory.id=x\n"))
    await within(world(), (store) =>
      Effect.map(Effect.flip(store.claim({ clusterId: "c1", nodeId: 4 })), (fault) => expect(fault).toMatchObject({ _tag: "LogFault", reason: "corrupt" }))
    )
  })

  test("checkpoints are replaced whole; after damage to the newest the one before it is read", async () => {
    const text = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : new TextDecoder().decode(bytes))
    await within(world(), (store) =>
      Effect.gen(function* () {
        expect(yield* store.readCheckpoint("state-1.x")).toEqual([])
        for (const version of ["one", "two", ""]) {
          yield* store.writeCheckpoint("state-1.x", new TextEncoder().encode(version))
          expect((yield* store.readCheckpoint("state-1.x")).map(text)).toEqual([version])
        }
        yield* store.writeCheckpoint("state-1.x", new TextEncoder().encode("four"))
        expect((yield* Effect.flip(store.writeCheckpoint("../x", new Uint8Array(0)))).message).toMatch(/cannot name/)
      })
    )
    for (const name of world()
      .list("checkpoints")
      .filter((each) => text(world().read(`checkpoints/${each}`))?.endsWith("four"))) {
      const bytes = world().read(`checkpoints/${name}`)
      bytes[bytes.length - 1] = 0
      world().write(`checkpoints/${name}`, bytes)
    }
    await within(world(), (store) => Effect.map(store.readCheckpoint("state-1.x"), (found) => expect(found.map(text)).toEqual([""])))
  })

  test("a scrub finds a flipped bit in a sealed segment, and takes the log offline", () =>
    within(world(), (store) =>
      Effect.gen(function* () {
        const log = yield* openLog(store)
        put(log, ...written)
        yield* log.sync
        yield* log.scrub
        expect(log.refusal()).toBeUndefined()
        const [first = ""] = logFiles(world())
        world().write(
          first,
          world()
            .read(first)
            .map((byte, at) => (at === 100 ? byte ^ 4 : byte))
        )
        expect(yield* Effect.flip(log.scrub)).toMatchObject({ _tag: "LogFault", reason: "corrupt" })
        expect(log.refusal()?.reason).toBe("corrupt")
        expect(Either.isLeft(log.read(0, 1, 1))).toBe(true)
      })
    ))
}

const outcomeOf = (world: StoreWorld) =>
  within(world, (store) => Effect.either(Effect.map(openLog(store), (log) => ({ end: log.end(), batches: hexOf(readAll(log)) }))))

const recovering = (world: () => StoreWorld, stride: number): void => {
  /** What the process leaves when it dies after the appends: `synced` of the batches were durable. */
  const crashed = async (synced: number): Promise<StoreWorld> => {
    let image: StoreWorld | undefined
    const origin = world().copy()
    await within(origin, (store) =>
      Effect.gen(function* () {
        const log = yield* openLog(store)
        put(log, ...written.slice(0, synced))
        if (synced > 0) yield* log.sync
        put(log, ...written.slice(synced))
        image = origin.copy()
      })
    )
    origin.end()
    return image as StoreWorld
  }

  test("L9: cut at any byte, a log that was not synced reopens with the whole batches before the cut, and reopens the same again", async () => {
    const image = await crashed(0)
    const files = logFiles(image)
    const last = files.at(-1) as string
    const whole = image.read(last)
    const before = written.filter(({ baseOffset }) => baseOffset < Number(last.slice(-24, -4)))
    const ends = written.slice(before.length).map((_, i, rest) => rest.slice(0, i + 1).reduce((sum, { bytes }) => sum + bytes.length, 0))
    const sizes = [...Array(whole.length + 1).keys()].filter((size) => size % stride === 0 || ends.some((end) => Math.abs(end - size) <= 1))
    for (const size of sizes) {
      const torn = image.copy()
      torn.write(last, whole.slice(0, size))
      let left = size
      const expected = [...before, ...written.slice(before.length).filter(({ bytes }) => (left -= bytes.length) >= 0)]
      for (let again = 0; again < 2; again++) {
        const outcome = await outcomeOf(torn)
        expect([size, outcome._tag === "Right" ? outcome.right.batches : outcome.left.message]).toEqual([size, hexOf(expected)])
      }
      torn.end()
    }
    image.end()
  }, 300_000)

  test("L9: any flipped byte costs at most the last batch; otherwise the log is offline, and nothing is changed", async () => {
    const image = await crashed(0)
    for (const file of logFiles(image)) {
      const whole = image.read(file)
      for (let at = 0; at < whole.length; at += stride) {
        const damaged = image.copy()
        const bytes = whole.slice()
        bytes[at] = (bytes[at] as number) ^ (1 << (at % 8))
        damaged.write(file, bytes)
        const outcome = await outcomeOf(damaged)
        if (outcome._tag === "Left") {
          expect(outcome.left.reason).toBe("corrupt")
          expect(outcome.left.message).toMatch(/\d{20}\.log is damaged at byte \d+: /)
          expect(hex(damaged.read(file))).toBe(hex(bytes))
        } else {
          // The epoch of the very last batch is the one field that neither its CRC nor a batch after it vouches for.
          const epochOfLast = outcome.right.batches.length === written.length
          if (!epochOfLast) expect(outcome.right.batches).toEqual(hexOf(written.slice(0, -1)))
        }
        damaged.end()
      }
    }
    image.end()
  }, 300_000)

  test("L9: damage before the synced end is never cut, not even at the very end of the file", async () => {
    const image = await crashed(written.length)
    const last = logFiles(image).at(-1) as string
    const whole = image.read(last)
    for (const bytes of [whole.slice(0, -1), whole.slice(0, 10), whole.slice(0, 0), whole.map((byte, at) => (at === whole.length - 1 ? byte ^ 1 : byte))]) {
      const damaged = image.copy()
      damaged.write(last, bytes)
      expect(await outcomeOf(damaged)).toMatchObject({ _tag: "Left", left: { reason: "corrupt" } })
      expect(hex(damaged.read(last))).toBe(hex(bytes))
      damaged.end()
    }
    const gone = image.copy()
    for (const file of logFiles(image)) gone.remove(file)
    expect(await outcomeOf(gone)).toMatchObject({ _tag: "Left", left: { reason: "corrupt" } })
    gone.end()
    image.end()
  })

  test("a segment that is gone is damage where it was synced; otherwise a power cut may have taken it, and the log ends before it", async () => {
    for (const synced of [0, written.length]) {
      const image = await crashed(synced)
      expect(logFiles(image).length).toBeGreaterThanOrEqual(2)
      image.write(logFiles(image)[0] as string, new Uint8Array(0))
      expect(await outcomeOf(image)).toMatchObject(
        synced > 0 ? { _tag: "Left", left: { reason: "corrupt" } } : { _tag: "Right", right: { end: 0, batches: [] } }
      )
      image.end()
    }
  })

  test("L6: indexes that are missing, torn, ahead or wrong are made again, byte for byte", async () => {
    await within(world(), (store) => Effect.map(openLog(store), (log) => put(log, ...written)))
    const closed = world()
    const indexes = closed
      .list(logDirectory)
      .filter((name) => name.endsWith("index"))
      .map((name) => `${logDirectory}/${name}`)
    expect(indexes.length).toBeGreaterThanOrEqual(4)
    for (const path of indexes) {
      const right = closed.read(path)
      const wrong = [undefined, new Uint8Array(0), right.slice(0, -1), new Uint8Array([...right, ...right]), right.map((byte) => byte ^ 0xff)]
      for (const bytes of right.length === 0 ? [undefined, new Uint8Array(5)] : wrong) {
        const damaged = closed.copy()
        if (bytes === undefined) damaged.remove(path)
        else damaged.write(path, bytes)
        await within(damaged, (store) =>
          Effect.map(openLog(store), (log) => {
            expect(hexOf(readAll(log))).toEqual(hexOf(written))
            for (const each of written) {
              expect(hexOf(batchesIn(Either.getOrThrow(log.read(each.lastOffset, 0, log.end()))))).toEqual(hexOf([each]))
              expect(Either.getOrThrow(log.batchAtTime(each.maxTimestamp))?.baseOffset).toBe(each.baseOffset)
            }
          })
        )
        if (path.endsWith(".timeindex") || right.length > 0) expect(hex(damaged.read(path))).toBe(hex(right))
        damaged.end()
      }
    }
  })
}
