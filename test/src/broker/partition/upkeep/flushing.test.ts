import { describe, expect, test } from "bun:test"
import { Effect, Either, Fiber } from "effect"
import { loadConfig, parseProperties } from "../../../../../domain/kernel/config/properties.ts"
import { defaultNodeConfig, type NodeConfig } from "../../../../../domain/kernel/config.ts"
import { addTopic, up } from "../../../../domain/cluster/support.ts"
import { batch, harness, newDisk, overInTime, receive, send, until } from "../../support.ts"

/** Broker 1 with the topic `orders`, with these topic settings. */
const serving = (config: Partial<NodeConfig>, configs: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const broker = yield* harness(up(1), { ...defaultNodeConfig, ...config })
    yield* broker.hosted.begin(new Set())
    broker.run(addTopic("orders", { partitionCount: 1, configs: Object.entries(configs).map(([name, value]) => ({ name, value })) }))
    yield* until(() => typeof broker.hosted.table.find({ name: "orders" }, 0) !== "string")
    const found = broker.hosted.table.find({ name: "orders" }, 0)
    if (typeof found === "string") throw new Error(found)
    return { ...broker, owner: found }
  })
const slow = () => {
  const disk = newDisk()
  disk.syncDelayMs = 300
  return disk
}

describe("log.flush.policy=ack, the default", () => {
  test("flush.messages counts records that are appended during a sync, also if no append follows", () =>
    overInTime(
      slow(),
      Effect.gen(function* () {
        const { owner, routes } = yield* serving({}, { "flush.messages": "1" })
        for (let n = 0; n < 3; n++) {
          yield* send(routes, batch(["a"]))
          yield* Effect.sleep("20 millis")
        }
        expect(owner.isSynced(0)).toBe(false)
        yield* Effect.sleep("5 seconds")
        expect(owner.isSynced(2)).toBe(true)
      })
    ))

  test("acks=all waits for the sync, whatever flush.messages and flush.ms are", () => {
    const disk = slow()
    return overInTime(
      disk,
      Effect.gen(function* () {
        const { owner, routes } = yield* serving({ "log.flush.interval.messages": 1000, "log.flush.interval.ms": 60_000 })
        const waiting = yield* Effect.fork(send(routes, batch(["a"]), { acks: -1 }))
        yield* Effect.sleep("250 millis")
        expect([waiting.unsafePoll(), owner.isSynced(0)]).toEqual([null, false])
        expect(yield* Fiber.join(waiting)).toMatchObject({ errorCode: 0 })
        expect(owner.isSynced(0)).toBe(true)
      })
    )
  })

  test("without a bound acks=1 is never synced; flush.messages syncs when so many records are unsynced, as a setting of the node or of the topic", async () => {
    for (const [config, configs, count] of [
      [{}, {}, undefined],
      [{ "log.flush.interval.messages": 3 }, {}, 3],
      [{ "log.flush.interval.messages": 3 }, { "flush.messages": "5" }, 5]
    ] as const) {
      const disk = slow()
      await overInTime(
        disk,
        Effect.gen(function* () {
          const { owner, routes } = yield* serving(config, configs)
          for (let n = 1; n <= 6; n++) {
            expect(yield* send(routes, batch(["a"]))).toMatchObject({ errorCode: 0 })
            yield* Effect.sleep("2 seconds")
            expect(owner.isSynced(n - 1)).toBe(count !== undefined && n % count === 0)
          }
        })
      )
    }
  })

  test("flush.ms syncs records of that age, though appends continue", () => {
    const disk = newDisk()
    return overInTime(
      disk,
      Effect.gen(function* () {
        const { owner, routes } = yield* serving({}, { "flush.ms": "3000" })
        yield* send(routes, batch(["first"]))
        for (let n = 0; n < 20; n++) {
          yield* Effect.sleep("100 millis")
          yield* send(routes, batch(["more"]))
        }
        expect(owner.isSynced(0)).toBe(false)
        for (let n = 0; n < 30; n++) {
          yield* Effect.sleep("100 millis")
          yield* send(routes, batch(["more"]))
        }
        expect(owner.isSynced(0)).toBe(true)
        yield* Effect.sleep("10 seconds")
        expect(owner.isSynced(50)).toBe(true)
        // With nothing to sync there is no sync.
        const before = disk.syncCount
        yield* Effect.sleep("12 seconds")
        expect(disk.syncCount).toBe(before)
      })
    )
  })
})

describe("log.flush.policy=interval, which is unsafe", () => {
  test("acks=all does not wait; a power cut loses records since the last sync, and none that is older than the interval", async () => {
    const disk = slow()
    const config = { "log.flush.policy": "interval" }
    const topic = { "flush.ms": "2000" }
    await overInTime(
      disk,
      Effect.gen(function* () {
        const { owner, routes } = yield* serving(config, topic)
        const answered = yield* Effect.fork(send(routes, batch(["old"]), { acks: -1 }))
        yield* Effect.sleep("1 millis")
        expect(yield* Fiber.join(answered)).toMatchObject({ errorCode: 0 })
        expect(owner.isSynced(0)).toBe(false)
        yield* Effect.sleep("4 seconds")
        expect(owner.isSynced(0)).toBe(true)
        expect(yield* send(routes, batch(["young"]), { acks: -1 })).toMatchObject({ errorCode: 0 })
        disk.crash(() => 0)
      })
    )
    await overInTime(
      disk,
      Effect.gen(function* () {
        const { routes } = yield* serving(config, topic)
        expect(yield* receive(routes, 0)).toMatchObject({ highWatermark: 1n })
      })
    )
  })

  test("without flush.ms the interval is 1 s; a clean shutdown syncs everything", () => {
    const disk = newDisk()
    return overInTime(
      disk,
      Effect.gen(function* () {
        const { owner, routes } = yield* serving({ "log.flush.policy": "interval" })
        yield* send(routes, batch(["a"]), { acks: -1 })
        expect(owner.isSynced(0)).toBe(false)
        yield* Effect.sleep("3 seconds")
        expect(owner.isSynced(0)).toBe(true)
      })
    )
  })

  test("a failed background sync takes the log offline, like one that a request waits for", () => {
    const disk = newDisk()
    return overInTime(
      disk,
      Effect.gen(function* () {
        const { owner, reports, routes } = yield* serving({ "log.flush.policy": "interval" })
        yield* send(routes, batch(["a"]), { acks: -1 })
        disk.failSyncs(1)
        yield* Effect.sleep("3 seconds")
        expect(owner.isOffline).toBe(true)
        expect(reports.length).toBe(1)
        expect((yield* send(routes, batch(["b"]), { acks: -1 }))?.errorCode).toBe(56)
      })
    )
  })
})

test("log.flush.policy is ack or interval", () => {
  const load = (text: string) => loadConfig(parseProperties(text, "f"))
  expect(Either.getOrThrow(load("")).config["log.flush.policy"]).toBe("ack")
  expect(Either.getOrThrow(load("log.flush.policy=interval\nlog.flush.interval.ms=50")).config).toMatchObject({
    "log.flush.policy": "interval",
    "log.flush.interval.ms": 50
  })
  expect(Either.getOrThrow(Either.flip(load("log.flush.policy=never"))).map(({ message }) => message)).toEqual([
    "f:1: log.flush.policy=never: expected ack or interval."
  ])
})
