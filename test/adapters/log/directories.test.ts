import { describe, expect, test } from "bun:test"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Either, Fiber, Logger, LogLevel, type Scope } from "effect"
import { FaultyDisk } from "../../../adapters/log/disk/faulty-disk.ts"
import { layer } from "../../../adapters/log/file/layer.ts"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { defaultStoreBounds, makeStoreOver, type StoreDirectory } from "../../../adapters/log/store.ts"
import type { TopicId } from "../../../domain/kernel/id.ts"
import { LogFault, LogStore } from "../../../src/ports/log-store.ts"
import { batch, checksum, otherTopicId, smallConfig, topicId } from "../../src/ports/log-batches.ts"
import { readAll } from "../../src/ports/log-store.contract.ts"

type Store = LogStore["Type"]

/** A data directory on a separate disk, as each of `log.dirs` may be. */
const placeOn = (disk: MemoryDisk, root: string): StoreDirectory => {
  const session = disk.session()
  session.makeDirectory(root)
  return { disk: session, root }
}
const lost = (place: StoreDirectory): StoreDirectory => ({
  ...place,
  fault: new LogFault({ path: place.root, reason: "offline", message: `${place.root} is not there.` })
})
const withStore = <A, E>(places: ReadonlyArray<StoreDirectory>, use: (store: Store) => Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(
    Effect.flatMap(makeStoreOver(places, defaultStoreBounds), use).pipe(Effect.scoped, Effect.provide(checksum), Logger.withMinimumLogLevel(LogLevel.None))
  )
const namesIn = ({ disk, root }: StoreDirectory) => disk.list(root).filter((name) => /-\d+$/.test(name))
const open = (store: Store, partition: number, isNew = true, topic: TopicId = topicId) => store.open(topic, partition, smallConfig, isNew)

describe("several log.dirs", () => {
  test("each directory has an id of its own, and two with the same id are refused: one is a copy", async () => {
    const [one, other] = [new MemoryDisk(), new MemoryDisk()]
    const identity = { clusterId: "c1", nodeId: 1 }
    const ids = await withStore([placeOn(one, "/a"), placeOn(other, "/b")], (store) =>
      Effect.map(store.claim(identity), () => store.directories.map((each) => each.id()))
    )
    expect(new Set(ids).size).toBe(2)
    const fault = await withStore([placeOn(one, "/a"), placeOn(one.copy(), "/a")], (store) => Effect.flip(store.claim(identity)))
    expect(fault).toMatchObject({ _tag: "LogFault", reason: "corrupt", message: expect.stringContaining("same directory.id") })
  })

  test("the store finds an existing log in its directory, and creates a new one in the directory with the most free bytes per log", async () => {
    const [small, large] = [new MemoryDisk(), new MemoryDisk()]
    small.capacityBytes = 1_000_000
    large.capacityBytes = 3_000_000
    const places = [placeOn(small, "/a"), placeOn(large, "/b")]
    await withStore(places, (store) =>
      Effect.forEach(
        Array.from({ length: 40 }, (_, i) => i),
        (n) => open(store, n)
      )
    )
    const before = places.map(namesIn)
    // Three times the space, three times the logs.
    expect(before.map(({ length }) => length)).toEqual([10, 30])
    await withStore(places.toReversed(), (store) =>
      Effect.gen(function* () {
        for (let n = 0; n < 40; n++) Either.getOrThrow((yield* open(store, n, false)).append([batch(0, 1)]))
        expect((yield* store.list).length).toBe(40)
      })
    )
    expect(places.map(namesIn)).toEqual(before)
  })

  test("the store takes the directory with the fewest logs where free bytes are unknown or equal", async () => {
    const places = [placeOn(new MemoryDisk(), "/a"), placeOn(new MemoryDisk(), "/b"), placeOn(new MemoryDisk(), "/c")]
    await withStore(places, (store) => Effect.forEach([0, 1, 2, 3, 4, 5, 6], (n) => open(store, n)))
    expect(places.map((place) => namesIn(place).length).toSorted()).toEqual([2, 2, 3])
  })

  test("a log in two directories is refused with both paths and left unchanged; the others open", async () => {
    const places = [placeOn(new MemoryDisk(), "/a"), placeOn(new MemoryDisk(), "/b")]
    for (const place of places) await withStore([place], (store) => Effect.map(open(store, 0), (log) => void log.append([batch(0, 2)])))
    await withStore(places, (store) =>
      Effect.gen(function* () {
        const fault = yield* Effect.flip(open(store, 0, false))
        expect(fault.reason).toBe("corrupt")
        expect(fault.message).toContain(`/a/${topicId}-0 and /b/${topicId}-0. Nothing was changed.`)
        yield* open(store, 1)
      })
    )
    for (const place of places) await withStore([place], (store) => Effect.map(open(store, 0, false), (log) => expect(log.end()).toBe(2)))
  })

  test("each directory gets the node's id and the cluster id that any of them has; another node's directory is refused", async () => {
    const places = [placeOn(new MemoryDisk(), "/a"), placeOn(new MemoryDisk(), "/b")]
    const [first, second] = places as [StoreDirectory, StoreDirectory]
    await withStore([second], (store) => store.claim({ clusterId: "c1", nodeId: 3 }))
    await withStore(places, (store) => Effect.map(store.claim({ clusterId: undefined, nodeId: 3 }), (found) => expect(found.clusterId).toBe("c1")))
    await withStore([first], (store) =>
      Effect.map(Effect.flip(store.claim({ clusterId: "c2", nodeId: 3 })), ({ message }) => expect(message).toContain("cluster c1"))
    )
    await withStore(places, (store) =>
      Effect.map(Effect.flip(store.claim({ clusterId: "c1", nodeId: 4 })), ({ _tag }) => expect(_tag).toBe("ForeignDirectory"))
    )
  })

  test("an empty directory beside used ones is reported once: its disk may not be mounted", async () => {
    const places = [placeOn(new MemoryDisk(), "/a"), placeOn(new MemoryDisk(), "/b")]
    const linesOf = async (some: ReadonlyArray<StoreDirectory>) => {
      const lines: Array<string> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => void lines.push(String(message)))
      )
      const claiming = Effect.flatMap(makeStoreOver(some, defaultStoreBounds), (store) => store.claim({ clusterId: "c1", nodeId: 3 }))
      await Effect.runPromise(claiming.pipe(Effect.scoped, Effect.provide(checksum), Effect.provide(logger)))
      return lines
    }
    expect(await linesOf(places.slice(0, 1))).toEqual([])
    expect(await linesOf(places)).toEqual([
      "The data directory /b is new beside the others. If it should hold logs, its disk is not mounted: stop this node, mount it."
    ])
    expect(await linesOf(places)).toEqual([])
  })

  test("a log is removed from the directory that holds it", async () => {
    const places = [placeOn(new MemoryDisk(), "/a"), placeOn(new MemoryDisk(), "/b")]
    await withStore(places, (store) =>
      Effect.gen(function* () {
        yield* Effect.scoped(Effect.forEach([0, 1, 2, 3], (n) => open(store, n)))
        for (const n of [0, 1, 2]) yield* store.remove(topicId, n)
        expect(yield* store.list).toEqual([{ topicId, partition: 3 }])
      })
    )
    expect(places.flatMap(namesIn)).toEqual([`${topicId}-3`])
  })
})

describe("a directory that cannot be opened at the start", () => {
  test("its logs are not created again elsewhere; new logs and those of the other directories open", async () => {
    const places = [placeOn(new MemoryDisk(), "/a"), placeOn(new MemoryDisk(), "/b")]
    const [a, b] = places as [StoreDirectory, StoreDirectory]
    await withStore(places, (store) => Effect.forEach([0, 1, 2, 3], (n) => Effect.map(open(store, n), (log) => void log.append([batch(0, n + 1)]))))
    const there = new Set(namesIn(b))
    await withStore([a, lost(b)], (store) =>
      Effect.gen(function* () {
        for (const n of [0, 1, 2, 3]) {
          const opened = yield* Effect.either(open(store, n, false))
          if (!there.has(`${topicId}-${n}`)) expect(Either.getOrThrow(opened).end()).toBe(n + 1)
          else
            expect(Either.getOrThrow(Either.flip(opened)).message).toContain(
              `is in no directory that works, and /b is offline: it may be there. It is opened when that directory is back.`
            )
        }
        expect((yield* open(store, 0, true, otherTopicId)).end()).toBe(0)
        expect(store.directories.map(({ fault }) => fault()?.reason)).toEqual([undefined, "offline"])
      })
    )
    await withStore(places, (store) => Effect.forEach([0, 1, 2, 3], (n) => Effect.map(open(store, n, false), (log) => expect(log.end()).toBe(n + 1))))
  })

  test("every directory stores the documents: no document is lost with one directory, and a returning directory adds its older version", async () => {
    const places = [placeOn(new MemoryDisk(), "/a"), placeOn(new MemoryDisk(), "/b")]
    const [a, b] = places as [StoreDirectory, StoreDirectory]
    const text = (documents: ReadonlyArray<Uint8Array>) => documents.map((each) => new TextDecoder().decode(each))
    const write = (value: string) => (store: Store) => store.writeCheckpoint("starts", new TextEncoder().encode(value))
    await withStore(places, write("one"))
    for (const place of places) expect(text(await withStore([place], (store) => store.readCheckpoint("starts")))).toEqual(["one"])
    await withStore([lost(a), b], write("two"))
    expect(text(await withStore(places, (store) => store.readCheckpoint("starts")))).toEqual(["one", "two"])
  })

  test("real directories: a locked one is offline and reported, the other serves; the start fails where all are locked", async () => {
    const directory = fs.mkdtempSync(join(tmpdir(), "franz-dirs-"))
    const [a, b] = [join(directory, "a"), join(directory, "b")]
    const build = (...directories: ReadonlyArray<string>) =>
      Effect.map(LogStore, (store) => store.directories.map((each) => each.fault()?.message)).pipe(
        Effect.provide(layer({ directory: directories })),
        Effect.provide(checksum),
        Effect.either
      )
    const whileHeld = Effect.gen(function* () {
      yield* LogStore
      return { several: yield* build(a, b), alone: yield* build(a) }
    })
    const { alone, several } = await Effect.runPromise(whileHeld.pipe(Effect.provide(layer({ directory: a })), Effect.provide(checksum)))
    const [first, second] = Either.getOrThrow(several)
    expect(first).toContain(`The data directory ${a} is offline from the start: The data directory ${a} is in use by this process`)
    expect(second).toBeUndefined()
    expect(Either.getOrThrow(Either.flip(alone))).toMatchObject({ _tag: "DirectoryLocked" })
    fs.rmSync(directory, { recursive: true })
  })
})

describe("a directory that fails", () => {
  const sentences = { sync: "could not sync", write: "could not write to", read: "could not read", directory: "could not sync" } as const
  for (const doing of ["sync", "write", "read", "directory"] as const)
    test(`a ${doing} that fails takes all its logs offline at once and until the next start; the other directory continues to serve`, async () => {
      const memory = new MemoryDisk()
      const broken = placeOn(memory, "/0")
      const faulty = new FaultyDisk(broken.disk)
      const well = placeOn(new MemoryDisk(), "/1")
      const bounds = { ...defaultStoreBounds, tailBytesMax: 0, tailBytesMaxPerLog: 0 }
      const run = Effect.gen(function* () {
        const store = yield* makeStoreOver([{ disk: faulty.disk, root: "/0" }, well], bounds)
        const logs = yield* Effect.forEach([0, 1, 2, 3, 4, 5], (n) => open(store, n))
        for (const log of logs) Either.getOrThrow(log.append([batch(0, 1)]))
        yield* Effect.forEach(logs, (log) => log.sync)
        const isBad = new Set(namesIn(broken).map((name) => Number(name.split("-").at(-1))))
        const bad = logs.filter((_, n) => isBad.has(n))
        const good = logs.filter((_, n) => !isBad.has(n))
        expect([bad.length, good.length]).toEqual([3, 3])
        const [first, second] = bad as [(typeof logs)[number], (typeof logs)[number]]
        Either.getOrThrow(second.append([batch(1, 1)]))
        const told = yield* Effect.fork(store.directories[0]?.failed ?? Effect.never)
        faulty.plant({ doing, path: doing === "directory" ? "/0" : ".log", code: "EIO", times: 1 })
        if (doing === "directory") yield* Effect.flip(Effect.scoped(Effect.flatMap(open(store, 6), (log) => log.sync)))
        else if (doing === "read") expect(Either.isLeft(first.read(0, 1000, 1))).toBe(true)
        else if (doing === "write") expect(Either.isLeft(first.append([batch(1, 1)]))).toBe(true)
        else {
          Either.getOrThrow(first.append([batch(1, 1)]))
          yield* Effect.flip(first.sync)
        }
        const fault = yield* Fiber.join(told)
        expect(fault.message).toContain(`The data directory /0 is offline: ${sentences[doing]} /0`)
        expect(fault.message.includes("A sync that failed is not repeated, since it is unknown what the disk holds.")).toBe(
          sentences[doing] === "could not sync"
        )
        expect(fault.message).toEndWith("Look at the disk, then start this node again.")
        for (const log of bad) {
          expect(log.append([batch(log.end(), 1)])).toMatchObject({ _tag: "Left", left: { reason: "offline" } })
          expect(log.read(0, 1000, 1)).toMatchObject({ _tag: "Left", left: { reason: "offline" } })
          expect((yield* Effect.flip(log.sync)).reason).toBe("offline")
        }
        for (const log of good) {
          Either.getOrThrow(log.append([batch(1, 1)]))
          yield* log.sync
          expect(readAll(log).length).toBe(2)
        }
        // The store does not retry it, although the disk would succeed.
        expect(faulty.failed.length).toBe(1)
        expect((yield* open(store, 50)).end()).toBe(0)
        expect(namesIn(well)).toContain(`${topicId}-50`)
        return [...isBad]
      })
      const bad = await Effect.runPromise(run.pipe(Effect.scoped, Effect.provide(checksum), Logger.withMinimumLogLevel(LogLevel.None)))
      // The next start finds all synced records.
      await withStore([broken, well], (store) =>
        Effect.forEach(bad, (n) => Effect.map(open(store, n, false), (log) => expect(log.end()).toBeGreaterThanOrEqual(1)))
      )
    })

  test("the next start writes unsynced records of a log again, also when the sync of another log of the directory failed", async () => {
    const memory = new MemoryDisk()
    const place = placeOn(memory, "/0")
    await withStore([place], (store) =>
      Effect.gen(function* () {
        const logs = yield* Effect.forEach([0, 1], (n) => open(store, n))
        for (const log of logs) yield* log.sync
        for (const log of logs) Either.getOrThrow(log.append([batch(0, 1)]))
        memory.failSyncs(1)
        yield* Effect.flip((logs[0] as (typeof logs)[number]).sync)
      })
    )
    const flagsOf = (n: number) => new DataView(memory.contents(`/0/${topicId}-${n}/recovery-point`).buffer)
    const failedIn = (n: number) => [0, 512].some((at) => flagsOf(n).byteLength >= at + 44 && (flagsOf(n).getInt32(at + 32) & 2) !== 0)
    expect([failedIn(0), failedIn(1)]).toEqual([true, true])
  })
})
