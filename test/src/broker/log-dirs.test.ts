import { describe, expect, test } from "bun:test"
import { Effect, Either, Fiber, Logger, LogLevel, type Scope } from "effect"
import { layer as checksum } from "../../../adapters/checksum/checksum.ts"
import { FaultyDisk } from "../../../adapters/log/disk/faulty-disk.ts"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { defaultStoreBounds, makeStoreOver } from "../../../adapters/log/store.ts"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import type { BrokerFault } from "../../../src/broker/fault.ts"
import { describeLogDirs } from "../../../src/broker/handler/35-describe-log-dirs.ts"
import { watchDirectories } from "../../../src/broker/partition/upkeep/failed-directories.ts"
import type { Checksum } from "../../../src/ports/checksum.ts"
import { LogStore, type PartitionLog } from "../../../src/ports/log-store.ts"
import { DescribeLogDirs } from "../../../src/protocol/message/35-describe-log-dirs.ts"
import { addTopic, topicId, up } from "../../domain/cluster/support.ts"
import { batch, call, type Harness, harness, receive, send, until } from "./support.ts"

const storageError = errorCode("KAFKA_STORAGE_ERROR")

/** Two data directories, the first on a disk that can be made to fail. */
class World {
  readonly memory = [new MemoryDisk(), new MemoryDisk()] as const
  readonly faulty: FaultyDisk
  readonly lines: Array<string> = []
  constructor() {
    for (const memory of this.memory) memory.capacityBytes = 10_000_000
    this.faulty = new FaultyDisk(this.memory[0].session())
  }

  run<A, E>(test: Effect.Effect<A, E, LogStore | Checksum | Scope.Scope>): Promise<A> {
    const places = [this.faulty.disk, this.memory[1].session()].map((disk, i) => {
      disk.makeDirectory(`/d${i}`)
      return { disk, root: `/d${i}` }
    })
    const logger = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ message }) => void this.lines.push(String(message)))
    )
    return Effect.runPromise(
      Effect.flatMap(makeStoreOver(places, defaultStoreBounds), (store) => Effect.provideService(test, LogStore, store)).pipe(
        Effect.scoped,
        Effect.provide(checksum),
        Effect.provide(logger),
        Logger.withMinimumLogLevel(LogLevel.Info)
      )
    )
  }
}

/** Broker 1 with `orders` of six partitions and `payments` of two. */
const broker = Effect.gen(function* () {
  const store = yield* LogStore
  const held = yield* harness(up(1))
  yield* held.hosted.begin(new Set())
  held.run(addTopic("orders", { partitionCount: 6 }), addTopic("payments", { partitionCount: 2, topicId: topicId(2) }))
  const leads = (topic: string, partition: number) => typeof held.hosted.table.find({ name: topic }, partition) !== "string"
  yield* until(() => leads("payments", 1) && Array.from({ length: 6 }, (_, n) => leads("orders", n)).every(Boolean))
  return { ...held, store, routes: [...held.routes, describeLogDirs({ table: held.hosted.table, directories: store.directories, moves: held.hosted.moves })] }
})
const described = (routes: Harness["routes"], version: number, topics: ReadonlyArray<{ topic: string; partitions: ReadonlyArray<number> }> | null = null) =>
  Effect.map(call(routes, DescribeLogDirs, version, { topics }), (answer) => answer?.results ?? [])
const namesOf = (result: { readonly topics: ReadonlyArray<{ name: string; partitions: ReadonlyArray<{ partitionIndex: number }> }> }) =>
  result.topics.flatMap(({ name, partitions }) => partitions.map(({ partitionIndex }) => `${name}-${partitionIndex}`))

describe("the partitions of the other data directories", () => {
  test("are checked without a read when one fails: a read at their end would keep the next batches in memory for no consumer", () => {
    let reads = 0
    return new World().run(
      Effect.gen(function* () {
        const { hosted, routes } = yield* broker
        for (let n = 0; n < 6; n++) yield* send(routes, batch(["a"]), { partition: n })
        const before = reads
        hosted.leaveOffline()
        expect(reads).toBe(before)
        expect(typeof hosted.table.find({ name: "orders" }, 0)).not.toBe("string")
      }).pipe(
        Effect.updateService(LogStore, (store) => ({
          ...store,
          open: (...place) =>
            Effect.map(store.open(...place), (log) =>
              Object.assign(Object.create(log) as PartitionLog, {
                read: (...asked: Parameters<PartitionLog["read"]>) => {
                  reads++
                  return log.read(...asked)
                }
              })
            )
        }))
      )
    )
  })
})

describe("DescribeLogDirs", () => {
  test("returns each directory with its partitions and their bytes, and from version 4 on the bytes of its volume", () =>
    new World().run(
      Effect.gen(function* () {
        const { routes } = yield* broker
        const records = batch(["a".repeat(500)])
        for (let n = 0; n < 6; n++) yield* send(routes, records, { partition: n })
        for (const version of [1, 2, 3, 4, 5]) {
          const all = yield* described(routes, version)
          expect(all.map(({ errorCode: error, logDir }) => [error, logDir])).toEqual([
            [0, "/d0"],
            [0, "/d1"]
          ])
          expect(all.flatMap(namesOf).toSorted()).toEqual([...Array.from({ length: 6 }, (_, n) => `orders-${n}`), "payments-0", "payments-1"])
          for (const { topics, totalBytes, usableBytes } of all) {
            for (const { name, partitions } of topics)
              for (const { isFutureKey, offsetLag, partitionSize } of partitions)
                expect([partitionSize, offsetLag, isFutureKey]).toEqual([name === "orders" ? BigInt(records.length) : 0n, 0n, false])
            expect(totalBytes).toBe(version >= 4 ? 10_000_000n : -1n)
            expect(version < 4 || (usableBytes > 9_000_000n && usableBytes < 10_000_000n)).toBe(true)
          }
        }
      })
    ))

  test("omits partitions that are not on this broker; an empty request has an empty response", () =>
    new World().run(
      Effect.gen(function* () {
        const { routes } = yield* broker
        const asked = [
          { topic: "orders", partitions: [0, 3, 17] },
          { topic: "unknown", partitions: [0] }
        ]
        expect((yield* described(routes, 4, asked)).flatMap(namesOf).toSorted()).toEqual(["orders-0", "orders-3"])
        expect((yield* described(routes, 4, [])).flatMap(namesOf)).toEqual([])
      })
    ))
})

describe("a data directory that fails under a broker", () => {
  test("a sync that fails: its partitions answer KAFKA_STORAGE_ERROR to Produce and Fetch, waiting requests too, with one log line; the others are served", async () => {
    const world = new World()
    await world.run(
      Effect.gen(function* () {
        const { hosted, routes, store } = yield* broker
        const stopped: Array<BrokerFault> = []
        yield* watchDirectories({
          nodeId: 1,
          directories: store.directories,
          leaveOffline: hosted.leaveOffline,
          stop: (fault) => Effect.sync(() => void stopped.push(fault))
        })
        for (let n = 0; n < 6; n++) expect(yield* send(routes, batch(["a"]), { partition: n, acks: -1 })).toMatchObject({ errorCode: 0 })
        const bad = ((yield* described(routes, 4))[0]?.topics ?? [])
          .filter(({ name }) => name === "orders")
          .flatMap(({ partitions }) => partitions.map(({ partitionIndex }) => partitionIndex))
        expect(bad.length).toBe(3)
        const [first, second] = bad as [number, number]
        const waiting = yield* Effect.fork(receive(routes, 1, { partition: second, maxWaitMs: 60_000 }))
        yield* Effect.sleep("5 millis")
        world.faulty.plant({ doing: "sync", path: ".log", code: "EIO", times: 1 })
        const refused = yield* send(routes, batch(["b"]), { partition: first, acks: -1 })
        expect(refused?.errorCode).toBe(errorCode("NOT_ENOUGH_REPLICAS_AFTER_APPEND"))
        expect(refused?.errorMessage).toStartWith("The records may be lost: The data directory /d0 is offline: could not sync /d0/")
        expect(yield* Fiber.join(waiting)).toMatchObject({ errorCode: storageError })
        for (let n = 0; n < 6; n++) {
          const error = bad.includes(n) ? storageError : 0
          expect(yield* send(routes, batch(["c"]), { partition: n, acks: -1 })).toMatchObject({ errorCode: error })
          expect(yield* receive(routes, 0, { partition: n })).toMatchObject({ errorCode: error })
        }
        const all = yield* described(routes, 4)
        expect(all.map(({ errorCode: error, totalBytes }) => [error, totalBytes])).toEqual([
          [storageError, -1n],
          [0, 10_000_000n]
        ])
        expect(all.map((each) => namesOf(each).length > 0)).toEqual([false, true])
        yield* until(() => world.lines.length > 0)
        expect(stopped).toEqual([])
      })
    )
    expect(world.faulty.failed.length).toBe(1)
    expect(world.lines.filter((line) => line.includes("is offline")).length).toBe(1)
    const path = world.faulty.failed[0]?.slice("sync ".length)
    expect(world.lines[0]).toBe(
      `The data directory /d0 is offline: could not sync ${path}: EIO: planted fault, sync '${path}'. A sync that failed is not repeated, since it is unknown what the disk holds. Look at the disk, then start this node again. Its partitions answer KAFKA_STORAGE_ERROR; the broker still serves the other directories.`
    )
  })

  test("the failure of the last directory stops the broker with a fault", async () => {
    const world = new World()
    const stopped: Array<BrokerFault> = []
    await world.run(
      Effect.gen(function* () {
        const { hosted, routes, store } = yield* broker
        yield* watchDirectories({
          nodeId: 1,
          directories: store.directories,
          leaveOffline: hosted.leaveOffline,
          stop: (fault) => Effect.sync(() => void stopped.push(fault))
        })
        world.faulty.plant({ doing: "write", path: ".log", code: "EIO" })
        for (let n = 0; n < 6; n++) yield* send(routes, batch(["b"]), { partition: n, acks: -1 })
        expect(stopped.length).toBe(0)
        world.memory[1].failSyncs(1)
        for (let n = 0; n < 6; n++) yield* send(routes, batch(["b"]), { partition: n, acks: -1 })
        yield* until(() => stopped.length > 0)
      })
    )
    expect(stopped.map(({ kind }) => kind)).toEqual(["storage"])
    expect(stopped[0]?.message).toStartWith("Broker 1 stops: all its 2 data directories are offline. The data directory /d1 is offline: could not sync /d1/")
  })

  test("a full disk and a lack of file descriptors do not fail a directory: appends resume by themselves", async () => {
    for (const code of ["ENOSPC", "EMFILE"]) {
      const world = new World()
      await world.run(
        Effect.gen(function* () {
          const { routes, store } = yield* broker
          world.faulty.plant({ doing: "short", path: ".log", code, times: 3 })
          const errors: Array<number | undefined> = []
          for (let n = 0; n < 6; n++) errors.push((yield* send(routes, batch(["a"]), { partition: n, acks: -1 }))?.errorCode)
          expect(errors.filter((error) => error === storageError).length).toBe(3)
          expect(store.directories.map(({ fault }) => fault())).toEqual([undefined, undefined])
          yield* Effect.repeat(
            Effect.map(
              Effect.forEach([0, 1, 2, 3, 4, 5], (n) => send(routes, batch(["b"]), { partition: n, acks: -1 })),
              (all) => all.every((each) => each?.errorCode === 0)
            ),
            { until: (well) => well, times: 100 }
          )
          for (let n = 0; n < 6; n++) expect(yield* receive(routes, 0, { partition: n })).toMatchObject({ errorCode: 0 })
        })
      )
    }
  })

  test("a raised start offset persists when a directory is lost, and when it reappears with an old checkpoint", async () => {
    const memory = [new MemoryDisk(), new MemoryDisk()] as const
    const places = memory.map((each, i) => {
      const disk = each.session()
      disk.makeDirectory(`/d${i}`)
      return { disk, root: `/d${i}` }
    })
    const within = <A>(which: ReadonlyArray<number>, use: Effect.Effect<A, unknown, LogStore | Checksum | Scope.Scope>) =>
      Effect.runPromise(
        Effect.flatMap(
          makeStoreOver(
            which.map((i) => places[i] as (typeof places)[number]),
            defaultStoreBounds
          ),
          (store) => Effect.provideService(use, LogStore, store)
        ).pipe(Effect.scoped, Effect.provide(checksum), Logger.withMinimumLogLevel(LogLevel.None))
      )
    const past = Effect.gen(function* () {
      const held = yield* harness(up(1))
      yield* held.hosted.begin(new Set())
      held.run(addTopic("orders", { partitionCount: 2 }))
      yield* until(() => [0, 1].every((n) => typeof held.hosted.table.find({ name: "orders" }, n) !== "string"))
      return held
    })
    const raise = (held: Harness, partition: number, offset: number) =>
      Effect.map(held.hosted.raise([{ replica: held.hosted.table.find({ name: "orders" }, partition) as never, offset }]), ([done]) =>
        Either.getOrThrow(done as Either.Either<void>)
      )
    await within(
      [0, 1],
      Effect.gen(function* () {
        const held = yield* past
        for (const n of [0, 1]) for (let i = 0; i < 4; i++) yield* send(held.routes, batch(["a"]), { partition: n })
        yield* raise(held, 0, 2)
      })
    )
    const startsNow = Effect.map(past, (held) => [0, 1].map((n) => (held.hosted.table.find({ name: "orders" }, n) as { start: () => number }).start()))
    // Each directory has the start offsets of all logs. The harness does not know the topic, so it creates the other log again.
    for (const which of [[0], [1]])
      expect(
        await within(
          which,
          Effect.map(
            Effect.flatMap(LogStore, (store) => store.readCheckpoint("log-start-offsets")),
            (found) => found.length
          )
        )
      ).toBe(1)
    await within(
      [0],
      Effect.flatMap(LogStore, (store) => store.writeCheckpoint("log-start-offsets", new TextEncoder().encode('{"v":1,"starts":{}}')))
    )
    expect(await within([0, 1], startsNow)).toEqual([2, 0])
  })
})
