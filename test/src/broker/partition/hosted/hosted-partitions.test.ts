import { expect, test } from "bun:test"
import { Effect } from "effect"
import { Command } from "../../../../../domain/cluster/command.ts"
import { topicByName } from "../../../../../domain/cluster/state.ts"
import { errorCode } from "../../../../../domain/kernel/error-code.ts"
import { defaultLogConfig, LogStore } from "../../../../../src/ports/log-store.ts"
import { addTopic, topicId, up } from "../../../../domain/cluster/support.ts"
import { batch, type Harness, harness, newDisk, over, overInTime, receive, send, until } from "../../support.ts"

const held = Effect.flatMap(LogStore, (store) => Effect.map(store.list, (logs) => logs.map((log) => `${log.topicId}-${log.partition}`).sort()))
const leads = (broker: Harness, topic: string, partition = 0) => until(() => typeof broker.hosted.table.find({ name: topic }, partition) !== "string")
const remove = (name: string) => Command.RemoveTopic({ topic: { name } })
/** Waits until the directory has exactly these logs. */
const untilHeld = (logs: ReadonlyArray<string>) =>
  Effect.repeat(Effect.delay(held, 1), { until: (now) => now.join() === logs.join(), times: 5000 }).pipe(Effect.map((now) => expect(now).toEqual([...logs])))

test("L10: a topic that is deleted and created again starts empty, in a directory with the new topic id; the old directory is deleted", () =>
  over(
    newDisk(),
    Effect.gen(function* () {
      const broker = yield* harness(up(1))
      yield* broker.hosted.begin(new Set())
      broker.run(addTopic("orders", { partitionCount: 2 }))
      yield* leads(broker, "orders", 1)
      yield* send(broker.routes, batch(["old"]))
      broker.run(remove("orders"))
      expect(yield* receive(broker.routes, 0)).toMatchObject({ errorCode: errorCode("UNKNOWN_TOPIC_OR_PARTITION") })
      broker.run(addTopic("orders", { partitionCount: 1, topicId: topicId(2) }))
      yield* leads(broker, "orders")
      expect(yield* receive(broker.routes, 0)).toMatchObject({ errorCode: 0, highWatermark: 0n })
      yield* untilHeld([`${topicId(2)}-0`])
    })
  ))

test("a topic that was deleted while the broker was stopped is deleted at its start; a log that the journal does not mention stays", async () => {
  const disk = newDisk()
  const first = addTopic("orders", { partitionCount: 1 })
  const second = addTopic("payments", { partitionCount: 1, topicId: topicId(2) })
  await over(
    disk,
    Effect.gen(function* () {
      const broker = yield* harness(up(1))
      yield* broker.hosted.begin(new Set())
      broker.run(first, second)
      yield* leads(broker, "payments")
      yield* send(broker.routes, batch(["kept"]), { topic: "payments" })
      const store = yield* LogStore
      yield* Effect.scoped(store.open(topicId(7), 0, { ...defaultLogConfig, segmentBytesMax: 1000 }))
    })
  )
  await over(
    disk,
    Effect.gen(function* () {
      const broker = yield* harness(up(1))
      broker.run(first, second, remove("orders"))
      yield* broker.hosted.begin(new Set([topicId(1)]))
      expect(yield* held).toEqual([`${topicId(2)}-0`, `${topicId(7)}-0`])
      expect(yield* receive(broker.routes, 0, { topic: "payments" })).toMatchObject({ errorCode: 0, highWatermark: 1n })
    })
  )
})

test("a partition of another broker has no log here, and errors name its leader", () =>
  over(
    newDisk(),
    Effect.gen(function* () {
      const broker = yield* harness(up(2))
      yield* broker.hosted.begin(new Set())
      broker.run(addTopic("orders", { partitionCount: 2 }))
      const leaders = topicByName(broker.cluster(), "orders")?.partitions.map(({ leader }) => leader as number) ?? []
      const here = leaders.indexOf(1)
      const there = leaders.indexOf(2)
      yield* leads(broker, "orders", here)
      expect(yield* send(broker.routes, batch(["a"]), { partition: here })).toMatchObject({ errorCode: 0 })
      expect(yield* send(broker.routes, batch(["a"]), { partition: there, version: 10 })).toMatchObject({
        errorCode: errorCode("NOT_LEADER_OR_FOLLOWER"),
        currentLeader: { leaderId: 2, leaderEpoch: 0 }
      })
      expect(yield* held).toEqual([`${topicId(1)}-${here}`])
    })
  ))

test("a log that cannot be opened: KAFKA_STORAGE_ERROR, a log line for it and one for its directory, and the other partitions are served; the broker retries until it opens", () => {
  const disk = newDisk()
  return overInTime(
    disk,
    Effect.gen(function* () {
      const broker = yield* harness(up(1))
      yield* broker.hosted.begin(new Set())
      broker.run(addTopic("orders", { partitionCount: 1 }))
      yield* leads(broker, "orders")
      disk.isReadOnly = true
      broker.run(addTopic("payments", { partitionCount: 1, topicId: topicId(2) }))
      yield* until(() => broker.reports.length > 0)
      expect(yield* send(broker.routes, batch(["a"]), { topic: "payments" })).toMatchObject({ errorCode: errorCode("KAFKA_STORAGE_ERROR") })
      expect(broker.reports.length).toBe(2)
      disk.isReadOnly = false
      expect(yield* send(broker.routes, batch(["a"]))).toMatchObject({ errorCode: 0 })
      yield* leads(broker, "payments")
      expect(yield* send(broker.routes, batch(["a"]), { topic: "payments" })).toMatchObject({ errorCode: 0 })
      yield* until(() => broker.reports.length === 4)
    })
  )
})
