import { expect, test } from "bun:test"
import { Effect } from "effect"
import { errorCode } from "../../../../domain/kernel/error-code.ts"
import { addTopic, up } from "../../../domain/cluster/support.ts"
import { batch, type Harness, harness, newDisk, overInTime, receive, send, until } from "../support.ts"

const storageError = errorCode("KAFKA_STORAGE_ERROR")
const serving = (partitionCount: number, configs: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const broker = yield* harness(up(1))
    yield* broker.hosted.begin(new Set())
    broker.run(addTopic("orders", { partitionCount, configs: Object.entries(configs).map(([name, value]) => ({ name, value })) }))
    yield* until(() => Array.from({ length: partitionCount }, (_, n) => typeof broker.hosted.table.find({ name: "orders" }, n) !== "string").every(Boolean))
    return broker
  })
const put = ({ routes }: Harness, partition: number, bytes = 400) =>
  Effect.map(send(routes, batch(["x".repeat(bytes)]), { partition, acks: -1 }), (answer) => answer?.errorCode)

test("many partitions of a full disk: all refuse appends, few lines are logged, reads work; with free space all accept appends again, and no record is lost", () => {
  const disk = newDisk()
  const count = 60
  return overInTime(
    disk,
    Effect.gen(function* () {
      const broker = yield* serving(count)
      const each = Array.from({ length: count }, (_, n) => n)
      for (const n of each) expect(yield* put(broker, n)).toBe(0)
      disk.capacityBytes = disk.usedBytes + 100
      for (let round = 0; round < 3; round++) for (const n of each) expect(yield* put(broker, n)).toBe(storageError)
      for (const n of each) expect(yield* receive(broker.routes, 0, { partition: n })).toMatchObject({ errorCode: 0, highWatermark: 1n })
      yield* Effect.sleep("20 seconds")
      expect(broker.reports.length).toBe(11)
      expect(broker.reports[0]).toStartWith("The data directory /data takes no records: ")
      expect(broker.reports[1]).toStartWith("orders-0: Could not append to /data/")
      expect(broker.reports[1]).toEndWith("There is no space left on the disk: appends fail until there is room, reads work.")
      expect(broker.reports[10]).toStartWith("51 more lines of this kind in 10 s, such as: orders-")
      // The store detects the free space without an append: the first append succeeds.
      disk.capacityBytes = Number.POSITIVE_INFINITY
      yield* Effect.sleep("1 second")
      for (const n of each) expect(yield* put(broker, n)).toBe(0)
      for (const n of each) expect(yield* receive(broker.routes, 0, { partition: n })).toMatchObject({ errorCode: 0, highWatermark: 2n })
      yield* Effect.sleep("20 seconds")
      const again = broker.reports.slice(11)
      const ofDirectory = "The data directory /data takes records again: its replicas copy what they missed."
      expect(again.slice(0, 10).every((line) => line === ofDirectory || line.endsWith(": the log takes records again."))).toBe(true)
      expect(again.filter((line) => line === ofDirectory)).toHaveLength(1)
      expect(again.slice(10)).toEqual([expect.stringMatching(/^51 more lines of this kind in 10 s, such as: orders-\d+: the log takes records again\.$/)])
    })
  )
})

test("retention frees space on a full disk, also when it deletes a segment for the first time, and appends resume by themselves", () => {
  const disk = newDisk()
  return overInTime(
    disk,
    Effect.gen(function* () {
      const broker = yield* serving(1, { "segment.bytes": "2000", "retention.bytes": "3000", "retention.ms": "-1", "file.delete.delay.ms": "1000" })
      for (let n = 0; n < 30; n++) expect(yield* put(broker, 0)).toBe(0)
      disk.capacityBytes = disk.usedBytes + 200
      expect(yield* put(broker, 0)).toBe(storageError)
      // The operator does nothing: the periodic retention check finds segments to delete.
      yield* Effect.sleep("6 minutes")
      expect(yield* put(broker, 0)).toBe(0)
      expect(disk.usedBytes).toBeLessThan(disk.capacityBytes)
      const found = broker.hosted.table.find({ name: "orders" }, 0)
      const start = typeof found === "string" ? -1 : found.start()
      expect(start).toBeGreaterThanOrEqual(20)
      expect(yield* receive(broker.routes, 0)).toMatchObject({ errorCode: errorCode("OFFSET_OUT_OF_RANGE") })
    })
  )
})
