import { describe, expect, test } from "bun:test"
import { Effect, Fiber, Logger, LogLevel, type Scope } from "effect"
// A store loads it with `import()`, which virtual time does not wait for.
import "../../../adapters/log/move/log-move.ts"
import { layerTypescript } from "../../../adapters/checksum/checksum.ts"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import type { Disk } from "../../../adapters/log/disk/disk.ts"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { defaultStoreBounds, makeStoreOver } from "../../../adapters/log/store.ts"
import { Command } from "../../../domain/cluster/command.ts"
import type { Cluster } from "../../../domain/cluster/state.ts"
import { defaultNodeConfig, type NodeConfig } from "../../../domain/kernel/config.ts"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import { readableBatches } from "../../../domain/log/batch.ts"
import { alterReplicaLogDirs } from "../../../src/broker/handler/34-alter-replica-log-dirs.ts"
import { describeLogDirs } from "../../../src/broker/handler/35-describe-log-dirs.ts"
import type { Checksum } from "../../../src/ports/checksum.ts"
import { LogFault, LogStore } from "../../../src/ports/log-store.ts"
import { AlterReplicaLogDirs } from "../../../src/protocol/message/34-alter-replica-log-dirs.ts"
import { DescribeLogDirs } from "../../../src/protocol/message/35-describe-log-dirs.ts"
import { replicatedCluster } from "../../domain/cluster/replication/support.ts"
import { addTopic, topicId, up } from "../../domain/cluster/support.ts"
import { batch, call, type Harness, harness, receive, send, until } from "./support.ts"

const rate = "replica.alter.log.dirs.io.max.bytes.per.second"
const value = "v".repeat(1000)
const configured = (more: Partial<NodeConfig> = {}): NodeConfig => ({ ...defaultNodeConfig, "log.flush.policy": "ack", ...more })

/** Three data directories, each on a disk of its own; the third may be offline. */
class World {
  readonly disks = [new MemoryDisk(), new MemoryDisk(), new MemoryDisk()] as const
  isThirdOffline = false
  readonly lines: Array<string> = []
  /** Told of every directory that is listed: the log of a broker is, when it is opened. */
  listed: (path: string) => void = () => undefined

  run<A, E>(test: Effect.Effect<A, E, LogStore | Checksum | Scope.Scope>): Promise<A> {
    const places = this.disks.map((memory, i) => {
      const session = memory.session()
      const disk: Disk = { ...session, list: (path) => (this.listed(path), session.list(path)) }
      disk.makeDirectory(`/d${i}`)
      Effect.runSync(Effect.orDie(disk.syncDirectory("/")))
      const fault = new LogFault({ path: `/d${i}`, reason: "offline", message: `/d${i} is not there.` })
      return { disk, root: `/d${i}`, ...(i === 2 && this.isThirdOffline ? { fault } : {}) }
    })
    const logger = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ message }) => void this.lines.push(String(message)))
    )
    return new VirtualClock().run(
      Effect.flatMap(makeStoreOver(places, defaultStoreBounds), (store) => Effect.provideService(test, LogStore, store)).pipe(
        Effect.scoped,
        Effect.provide(layerTypescript),
        Effect.provide(logger),
        Logger.withMinimumLogLevel(LogLevel.Info)
      )
    )
  }
}

/** Broker 1 with `orders-0`, whose log is in /d0. */
const broker = (config: NodeConfig, past = up(1)) =>
  Effect.gen(function* () {
    const store = yield* LogStore
    const held = yield* harness(past, config)
    const { directories, moves } = store
    const routes = [
      ...held.routes,
      describeLogDirs({ table: held.hosted.table, directories, moves: held.hosted.moves }),
      alterReplicaLogDirs({ table: held.hosted.table, directories, moves: held.hosted.moves, prefer: moves.prefer, cluster: held.cluster })
    ]
    yield* held.hosted.begin(new Set())
    return { ...held, routes, store }
  })
const begun = (config: NodeConfig = configured(), past: Cluster = up(1)) =>
  Effect.gen(function* () {
    const held = yield* broker(config, past)
    held.store.moves.prefer({ topicId: topicId(1), partition: 0, path: "/d0" })
    held.run(addTopic("orders", { assignments: [{ partition: 0, replicas: [1] }], partitionCount: -1, replicationFactor: -1 }))
    yield* until(() => leads(held))
    return held
  })
const leads = ({ hosted }: Pick<Harness, "hosted">): boolean => typeof hosted.table.find({ name: "orders" }, 0) !== "string"

const move = (routes: Harness["routes"], path: string, topic = "orders", partition = 0) =>
  Effect.map(
    call(routes, AlterReplicaLogDirs, 2, { dirs: [{ path, topics: [{ name: topic, partitions: [partition] }] }] }),
    (answer) => answer?.results[0]?.partitions[0]?.errorCode
  )
/** Where `orders-0` is: its directory, and the copies with their lags. */
const whereabouts = (routes: Harness["routes"]) =>
  Effect.map(call(routes, DescribeLogDirs, 4, { topics: null }), (answer) =>
    (answer?.results ?? []).flatMap(({ logDir, topics }) =>
      topics.flatMap(({ partitions }) =>
        partitions.map(({ isFutureKey, offsetLag, partitionSize }) => ({ logDir, isFutureKey, lag: Number(offsetLag), bytes: Number(partitionSize) }))
      )
    )
  )
const isIn = (routes: Harness["routes"], path: string) =>
  Effect.repeat(
    Effect.delay(
      Effect.map(whereabouts(routes), (all) => all.length === 1 && all[0]?.logDir === path && !all[0].isFutureKey),
      "20 millis"
    ),
    { until: (there) => there, times: 20_000 }
  )
/** Sends until the record is acknowledged, as a producer that retries; returns its offset. */
const acked = (routes: Harness["routes"], text: string) =>
  Effect.map(
    Effect.repeat(
      Effect.flatMap(send(routes, batch([text]), { acks: -1 }), (answer) =>
        answer?.errorCode === 0 ? Effect.succeed(answer) : Effect.as(Effect.sleep("10 millis"), answer)
      ),
      { until: (answer) => answer?.errorCode === 0, times: 1000 }
    ),
    (answer) => Number(answer?.baseOffset ?? -1)
  )
const offsetsFrom = (records: Uint8Array | null | undefined): ReadonlyArray<number> => {
  const batches = readableBatches(records ?? new Uint8Array(0))
  return batches._tag === "Left" ? [] : batches.right.map(({ baseOffset }) => baseOffset)
}

describe("AlterReplicaLogDirs", () => {
  test("accepts the move at once, and moves the log while it takes and gives records: none is lost", () =>
    new World().run(
      Effect.gen(function* () {
        const { reports, routes, store } = yield* begun()
        for (let n = 0; n < 40; n++) yield* acked(routes, value)
        expect(yield* move(routes, "/d1")).toBe(0)
        expect((yield* whereabouts(routes)).some(({ isFutureKey, logDir }) => isFutureKey && logDir === "/d1")).toBe(true)
        let isOver = false
        const producing = yield* Effect.fork(
          Effect.gen(function* () {
            const offsets: Array<number> = []
            while (!isOver || offsets.length < 20) offsets.push(yield* Effect.delay(acked(routes, `while it is moved ${offsets.length}`), 1))
            return offsets
          })
        )
        const waiting = yield* Effect.fork(receive(routes, 100_000, { maxWaitMs: 1 }))
        yield* isIn(routes, "/d1")
        isOver = true
        const offsets = yield* Fiber.join(producing)
        yield* Fiber.join(waiting)
        expect(offsets).toEqual(offsets.map((_, i) => 40 + i))
        const read: Array<number> = []
        for (let from = 0; from < 40 + offsets.length; ) {
          const some = offsetsFrom((yield* receive(routes, from))?.records)
          read.push(...some)
          from = (some.at(-1) ?? Number.POSITIVE_INFINITY) + 1
        }
        expect(read).toEqual(Array.from({ length: 40 + offsets.length }, (_, i) => i))
        yield* until(() => store.directories[0]?.logs().length === 0)
        expect(reports).toEqual([])
      })
    ))

  test("DescribeLogDirs shows the copy and its lag; the pace is that of the setting", () =>
    new World().run(
      Effect.gen(function* () {
        const { routes } = yield* begun(configured({ [rate]: 10_000 }))
        for (let n = 0; n < 100; n++) yield* acked(routes, value)
        const [{ bytes } = { bytes: 0 }] = yield* whereabouts(routes)
        expect(yield* move(routes, "/d1")).toBe(0)
        expect(yield* move(routes, "/d1")).toBe(0)
        yield* Effect.sleep("3 seconds")
        const [log, copy] = yield* whereabouts(routes)
        expect(log).toEqual({ logDir: "/d0", isFutureKey: false, lag: 0, bytes })
        expect(copy).toMatchObject({ logDir: "/d1", isFutureKey: true, lag: 100 })
        expect(copy?.bytes).toBeGreaterThan(20_000)
        expect(copy?.bytes).toBeLessThan(45_000)
        yield* isIn(routes, "/d1")
      })
    ))

  test("a request for another directory replaces the move, one for the directory of the log ends it", () =>
    new World().run(
      Effect.gen(function* () {
        const { routes, store } = yield* begun(configured({ [rate]: 10_000 }))
        for (let n = 0; n < 100; n++) yield* acked(routes, value)
        expect(yield* move(routes, "/d1")).toBe(0)
        yield* Effect.sleep("2 seconds")
        expect(yield* move(routes, "/d2")).toBe(0)
        yield* Effect.sleep("2 seconds")
        expect((yield* whereabouts(routes)).map(({ isFutureKey, logDir }) => [logDir, isFutureKey])).toEqual([
          ["/d0", false],
          ["/d2", true]
        ])
        expect(yield* move(routes, "/d0")).toBe(0)
        yield* Effect.sleep("30 seconds")
        expect((yield* whereabouts(routes)).map(({ logDir }) => logDir)).toEqual(["/d0"])
        expect((yield* store.moves.interrupted).length).toBe(0)
        expect(yield* acked(routes, "still there")).toBe(100)
      })
    ))

  test("LOG_DIR_NOT_FOUND, KAFKA_STORAGE_ERROR, UNKNOWN_TOPIC_OR_PARTITION; REPLICA_NOT_AVAILABLE for a partition that is placed here later, in that directory", () => {
    const world = new World()
    world.isThirdOffline = true
    return world.run(
      Effect.gen(function* () {
        const { routes, run, store } = yield* begun(configured(), replicatedCluster(2))
        expect(yield* move(routes, "/d0")).toBe(0)
        expect(yield* move(routes, "/d7")).toBe(errorCode("LOG_DIR_NOT_FOUND"))
        expect(yield* move(routes, "/d2")).toBe(errorCode("KAFKA_STORAGE_ERROR"))
        expect(yield* move(routes, "/d1", "unknown")).toBe(errorCode("UNKNOWN_TOPIC_OR_PARTITION"))
        expect(yield* move(routes, "/d1", "orders", 7)).toBe(errorCode("UNKNOWN_TOPIC_OR_PARTITION"))
        // Broker 2 has the only replica, until a reassignment adds one here.
        run(addTopic("payments", { topicId: topicId(2), partitionCount: -1, replicationFactor: -1, assignments: [{ partition: 0, replicas: [2] }] }))
        expect(yield* move(routes, "/d1", "payments")).toBe(errorCode("REPLICA_NOT_AVAILABLE"))
        run(
          Command.ReassignPartitions({
            partitions: [{ topic: "payments", partition: 0, replicas: [2, 1] }],
            allowReplicationFactorChange: true,
            replicationFactorMax: 3,
            partitionsPerBrokerMax: 1000
          })
        )
        yield* until(() => store.moves.directoryOf(topicId(2), 0) !== undefined)
        expect(store.moves.directoryOf(topicId(2), 0)).toBe("/d1")
      })
    )
  })

  test("the removal of the topic ends the move, and the copy goes, too", () =>
    new World().run(
      Effect.gen(function* () {
        const { routes, run, store } = yield* begun(configured({ [rate]: 10_000 }))
        for (let n = 0; n < 100; n++) yield* acked(routes, value)
        yield* move(routes, "/d1")
        yield* Effect.sleep("2 seconds")
        run(Command.RemoveTopic({ topic: { name: "orders" } }))
        yield* Effect.sleep("30 seconds")
        expect(yield* whereabouts(routes)).toEqual([])
        expect(store.directories.flatMap((each) => each.logs())).toEqual([])
        expect((yield* store.moves.interrupted).length).toBe(0)
      })
    ))

  test("the removal of the topic while the moved log is opened, or is closed for its move, removes the log and hangs nothing", async () => {
    for (const at of ["/d1/", "/d0/"]) {
      const world = new World()
      await world.run(
        Effect.gen(function* () {
          const { hosted, routes, run, store } = yield* begun()
          yield* acked(routes, value)
          world.listed = (path) => {
            if (!path.startsWith(at) || hosted.table.slot(topicId(1), 0) !== undefined) return
            world.listed = () => undefined
            run(Command.RemoveTopic({ topic: { name: "orders" } }))
          }
          yield* move(routes, "/d1")
          yield* until(() => store.directories.every((each) => each.logs().length === 0))
          expect(
            store.directories.map(({ path }) =>
              world.disks[Number(path.slice(2))]
                ?.session()
                .list(path)
                .filter((name) => name.includes("-0"))
            )
          ).toEqual([[], [], []])
          run(addTopic("orders", { topicId: topicId(2), assignments: [{ partition: 0, replicas: [1] }], partitionCount: -1, replicationFactor: -1 }))
          expect(yield* acked(routes, "of the next topic of that name")).toBe(0)
        })
      )
    }
  })

  test("a full destination ends the move with a line, and not the log", () => {
    const world = new World()
    world.disks[1].capacityBytes = 30_000
    return world.run(
      Effect.gen(function* () {
        const { reports, routes } = yield* begun()
        for (let n = 0; n < 100; n++) yield* acked(routes, value)
        expect(yield* move(routes, "/d1")).toBe(0)
        yield* until(() => reports.length > 0)
        expect(reports).toEqual([
          expect.stringMatching(/^orders-0 stays in its directory, and is not moved to \/d1: .*no space left on the disk.* Repeat the request/s)
        ])
        expect(yield* acked(routes, "still there")).toBe(100)
        expect((yield* whereabouts(routes)).map(({ logDir }) => logDir)).toEqual(["/d0"])
      })
    )
  })

  test("a destination whose disk fails ends the move with a line, and not the log", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const { reports, routes, store } = yield* begun(configured({ [rate]: 10_000 }))
        for (let n = 0; n < 100; n++) yield* acked(routes, value)
        yield* move(routes, "/d1")
        yield* Effect.sleep("1 seconds")
        world.disks[1].failSyncs(1)
        yield* until(() => reports.length > 0)
        expect(reports).toEqual([expect.stringMatching(/^orders-0 stays in its directory, and is not moved to \/d1: /)])
        expect(store.directories.map(({ fault }) => fault()?.reason)).toEqual([undefined, "offline", undefined])
        expect(yield* acked(routes, "still there")).toBe(100)
        expect(yield* move(routes, "/d1")).toBe(errorCode("KAFKA_STORAGE_ERROR"))
      })
    )
  })

  test("a log whose own disk fails is offline, and its move ends with a line", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const { reports, routes } = yield* begun(configured({ [rate]: 10_000 }))
        for (let n = 0; n < 100; n++) yield* acked(routes, value)
        yield* move(routes, "/d1")
        yield* Effect.sleep("1 seconds")
        world.disks[0].failSyncs(1)
        expect((yield* send(routes, batch(["lost"]), { acks: -1 }))?.errorCode).not.toBe(0)
        yield* until(() => reports.some((line) => line.includes("is not moved to /d1")))
        expect(yield* move(routes, "/d1")).toBe(errorCode("KAFKA_STORAGE_ERROR"))
        expect((yield* call(routes, DescribeLogDirs, 4, { topics: null }))?.results.map(({ errorCode: error, topics }) => [error, topics.length])).toEqual([
          [errorCode("KAFKA_STORAGE_ERROR"), 0],
          [0, 0],
          [0, 0]
        ])
      })
    )
  })

  test("a restart begins the move anew", async () => {
    const world = new World()
    const past = await world.run(
      Effect.gen(function* () {
        const { cluster, routes } = yield* begun(configured({ [rate]: 10_000 }))
        for (let n = 0; n < 100; n++) yield* acked(routes, value)
        yield* move(routes, "/d1")
        yield* Effect.sleep("2 seconds")
        return cluster()
      })
    )
    await world.run(
      Effect.gen(function* () {
        const { routes } = yield* broker(configured(), past)
        yield* isIn(routes, "/d1")
        expect(yield* acked(routes, "after it")).toBe(100)
      })
    )
    expect(world.lines).toContain("orders-0 was moved to /d1.")
  })
})
