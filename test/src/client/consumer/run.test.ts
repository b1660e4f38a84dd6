import { describe, expect, test } from "bun:test"
import { Chunk, Clock, Deferred, Effect, Exit, Fiber, Stream } from "effect"
import { Consumer } from "../../../../src/client/consumer/consumer.ts"
import type { ConsumerOptions, JoinOptions } from "../../../../src/client/consumer/options.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import { leader, withCluster } from "../real-cluster.ts"

const texts = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => `${from + at}`)
const produced = (partitions: number, values: ReadonlyArray<string>, keys = (at: number): string => `k${at}`) =>
  Effect.scoped(
    Effect.gen(function* () {
      const producer = yield* Producer.make({ leader })
      yield* producer.addTopic("jobs", { partitions }).pipe(Effect.ignore)
      yield* Effect.forEach(values, (value, at) => producer.sendMessage("jobs", value, { key: keys(at), partition: at % partitions }), {
        concurrency: "unbounded"
      })
    })
  )
const member = (options: Partial<ConsumerOptions> = {}, join: JoinOptions = {}) =>
  Effect.gen(function* () {
    const consumer = yield* Consumer.make({ leader, from: "earliest", ...options })
    yield* consumer.joinConsumerGroup("workers", join)
    yield* consumer.subscribe("jobs")
    return consumer
  })
const until = (condition: () => boolean) =>
  Effect.gen(function* () {
    while (!condition()) yield* Effect.sleep(50)
  })

describe("run", () => {
  test("handles every message, waits for the handler in hand when it is interrupted, and commits: the next member gets the rest", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* produced(2, texts(0, 20))
        const seen: Array<string> = []
        const handle = ({ text }: { readonly text: string }) =>
          Effect.delay(
            Effect.sync(() => seen.push(text)),
            1000
          )
        const first = Effect.scoped(
          Effect.gen(function* () {
            const consumer = yield* member({ commitIntervalMs: "never" })
            const running = yield* Effect.fork(consumer.run(handle, { concurrency: 2 }))
            yield* until(() => seen.length >= 10)
            yield* Effect.sleep(500)
            yield* Fiber.interrupt(running)
          })
        )
        yield* first
        // Both handlers in hand ended: two more than when the interruption began.
        expect(seen.length).toBe(12)
        const next = yield* member()
        yield* Effect.fork(next.run(handle, { concurrency: 2 }))
        yield* until(() => seen.length >= 20)
        yield* Effect.sleep(5000)
        expect(seen.toSorted((a, b) => Number(a) - Number(b))).toEqual(texts(0, 20))
      })
    ))

  test("fails with the error of a handler; that message is not committed, and comes first when the caller runs again", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* produced(1, texts(0, 6))
        const consumer = yield* member()
        const seen: Array<string> = []
        let broken = true
        const handle = ({ text }: { readonly text: string }) =>
          Effect.suspend(() => {
            seen.push(text)
            return text === "3" && broken ? Effect.fail("the database is down" as const) : Effect.void
          })
        expect(yield* Effect.flip(consumer.run(handle))).toBe("the database is down")
        yield* consumer.commit
        broken = false
        yield* Effect.fork(consumer.run(handle))
        yield* until(() => seen.length >= 7)
        expect(seen).toEqual(["0", "1", "2", "3", "3", "4", "5"])
        expect(Exit.isFailure(yield* Effect.exit(consumer.poll()))).toBe(true)
      })
    ))

  test("handles no more at a time than its bounds, and messages of a key one after the other", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* produced(2, texts(0, 120), (at) => `k${at % 10}`)
        const consumer = yield* member()
        const atWork = new Map<string, number>()
        const done: Array<readonly [key: string, text: number]> = []
        let most = 0
        const handle = ({ keyText, partition, text }: { readonly keyText: string | null; readonly partition: number; readonly text: string }) =>
          Effect.gen(function* () {
            const key = `${partition} ${keyText}`
            expect(atWork.has(key)).toBe(false)
            atWork.set(key, 1)
            most = Math.max(most, atWork.size)
            yield* Effect.sleep(10 + ((Number(text) * 37) % 90))
            atWork.delete(key)
            done.push([key, Number(text)])
          })
        yield* Effect.fork(consumer.run(handle, { concurrency: 6, perPartition: 4 }))
        yield* until(() => done.length >= 120)
        expect(most).toBe(6)
        for (const key of new Set(done.map(([of]) => of))) {
          const order = done.filter(([of]) => of === key).map(([, text]) => text)
          expect(order).toEqual(order.toSorted((a, b) => a - b))
        }
        // Out of order at work, in order in the group: the commit is the end of each partition.
        yield* Effect.sleep(100)
        const committed = yield* Effect.fork(Stream.runHead(Stream.filter(consumer.events, ({ _tag }) => _tag === "OffsetsCommitted")))
        yield* Effect.sleep(6000)
        expect(yield* Fiber.join(committed)).toMatchObject({ value: { offsets: [{ offset: 60 }, { offset: 60 }] } })
      })
    ))

  test("a handler that hangs gives its partitions up: it is interrupted, another member handles the message, and the first joins again", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* produced(1, texts(0, 3))
        const seen: Array<string> = []
        const hanging = yield* member({}, { maxPollIntervalMs: 8000, rebalanceTimeoutMs: 8000 })
        let interrupted = 0
        const stuck = () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted += 1)))
        const lost = yield* Effect.fork(Stream.runHead(Stream.filter(hanging.events, ({ _tag }) => _tag === "PartitionsLost")))
        yield* Effect.fork(hanging.run(stuck))
        yield* Effect.sleep(6000)
        const other = yield* member({}, { rebalanceTimeoutMs: 8000 })
        yield* Effect.fork(other.run(({ text }) => Effect.sync(() => seen.push(text))))
        yield* until(() => seen.length === 3)
        expect(seen).toEqual(texts(0, 3))
        expect(interrupted).toBeGreaterThanOrEqual(1)
        yield* Fiber.interrupt(lost)
        // A member again: the two of them share the group.
        yield* Effect.sleep(15_000)
        expect([yield* hanging.isAssigned, yield* other.isAssigned]).toEqual([true, true])
      })
    ))

  for (const [name, assignors] of [
    ["an eager", ["range"]],
    ["a cooperative", ["cooperative-sticky"]]
  ] as const)
    test(`a handler of ${name} member that hangs does not hold a rebalance up beyond maxPollIntervalMs`, () =>
      withCluster(() =>
        Effect.gen(function* () {
          yield* produced(2, texts(0, 4))
          const hanging = yield* member({}, { maxPollIntervalMs: 8000, assignors })
          yield* Effect.fork(hanging.run(() => Effect.never))
          yield* Effect.sleep(6000)
          const from = yield* Clock.currentTimeMillis
          const seen: Array<string> = []
          const other = yield* member({}, { assignors })
          yield* Effect.fork(other.run(({ text }) => Effect.sync(() => seen.push(text))))
          yield* until(() => seen.length > 0)
          // The member has 2 s left for its message; half of the rebalance timeout would be 30 s.
          expect((yield* Clock.currentTimeMillis) - from).toBeLessThan(7000)
        })
      ))

  test("a caller that polls and then hangs loses its partitions, its commit is refused, and the next poll joins again", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* produced(1, texts(0, 5))
        const consumer = yield* member({ commitIntervalMs: "never" }, { maxPollIntervalMs: 15_000 })
        while ((yield* consumer.poll({ maxRecords: 2 })).length === 0);
        const events = yield* Effect.fork(Stream.runCollect(Stream.take(consumer.events, 1)))
        yield* Effect.sleep(20_000)
        expect(Chunk.toReadonlyArray(yield* Fiber.join(events))).toMatchObject([{ _tag: "PartitionsLost", reason: "stalled" }])
        expect(yield* consumer.positions).toEqual([])
        expect(yield* Effect.flip(consumer.commit)).toMatchObject({ _tag: "CommitRefused" })
        const again: Array<string> = []
        while (again.length < 5) again.push(...(yield* consumer.poll()).map(({ text }) => text))
        expect(again).toEqual(texts(0, 5))
        yield* consumer.commit
      })
    ))

  test("the scope of a partition opens before its first message, and closes before another member has the partition", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* produced(4, texts(0, 200))
        const log: Array<string> = []
        const open = new Map<number, string>()
        const scoped = (name: string) => ({
          onAssigned: ({ partition }: { readonly partition: number }) =>
            Effect.acquireRelease(
              Effect.sync(() => {
                expect([partition, open.get(partition)]).toEqual([partition, undefined])
                open.set(partition, name)
                log.push(`${name} has ${partition}`)
              }),
              () =>
                Effect.delay(
                  Effect.sync(() => open.delete(partition)),
                  300
                )
            ),
          concurrency: 4
        })
        let handled = 0
        const handle =
          (name: string) =>
          ({ partition }: { readonly partition: number }) =>
            Effect.gen(function* () {
              expect(open.get(partition)).toBe(name)
              yield* Effect.sleep(200)
              expect(open.get(partition)).toBe(name)
              handled += 1
            })
        const [one, two] = [yield* member(), yield* Effect.delay(member(), 3000)]
        const first = yield* Effect.fork(one.run(handle("one"), scoped("one")))
        yield* Effect.sleep(2000)
        const second = yield* Effect.fork(two.run(handle("two"), scoped("two")))
        yield* until(() => handled >= 200)
        yield* Fiber.interrupt(second)
        yield* Fiber.interrupt(first)
        expect(handled).toBe(200)
        expect(open.size).toBe(0)
        expect(log.some((line) => line.startsWith("two"))).toBe(true)
      })
    ))

  test("partitions of a manual assignment are handled too, and paused ones wait", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* produced(2, texts(0, 10))
        const consumer = yield* Consumer.make({ leader })
        yield* consumer.pause({ topic: "jobs", partition: 1 })
        yield* consumer.assign([0, 1].map((partition) => ({ topic: "jobs", partition, at: "earliest" as const })))
        const seen: Array<string> = []
        const running = yield* Effect.fork(consumer.run(({ text }) => Effect.sync(() => seen.push(text))))
        yield* until(() => seen.length === 5)
        yield* Effect.sleep(5000)
        expect(seen).toEqual(["0", "2", "4", "6", "8"])
        expect(yield* consumer.lag).toEqual([
          { topic: "jobs", partition: 0, offset: 5, end: 5, lag: 0 },
          { topic: "jobs", partition: 1, offset: 0, end: 5, lag: 5 }
        ])
        yield* consumer.resume({ topic: "jobs", partition: 1 })
        yield* until(() => seen.length === 10)
        yield* Fiber.interrupt(running)
      })
    ))

  test("continues over nodes that stop and start, and begins with the first message of a topic that was created again", () =>
    withCluster((cluster) =>
      Effect.gen(function* () {
        yield* produced(4, texts(0, 40))
        const consumer = yield* member()
        const seen: Array<string> = []
        const events: Array<string> = []
        yield* Effect.fork(Stream.runForEach(consumer.events, ({ _tag }) => Effect.sync(() => events.push(_tag))))
        yield* Effect.fork(
          consumer.run(
            ({ text }) =>
              Effect.delay(
                Effect.sync(() => seen.push(text)),
                10
              ),
            { concurrency: 2 }
          )
        )
        yield* until(() => seen.length >= 20)
        yield* cluster.stop("broker1")
        yield* Effect.sleep(3000)
        yield* cluster.startBroker(1)
        yield* cluster.stop("leader")
        yield* Effect.sleep(3000)
        yield* cluster.startLeader
        yield* until(() => new Set(seen).size === 40)
        cluster.network.drop("client")
        yield* until(() => events.includes("Reconnected"))
        expect(events).toContain("Disconnected")
        yield* Effect.scoped(Effect.flatMap(Producer.make({ leader }), (producer) => producer.removeTopic("jobs")))
        yield* Effect.sleep(5000)
        yield* produced(
          4,
          texts(0, 40).map((text) => `new ${text}`)
        )
        yield* until(() => seen.filter((text) => text.startsWith("new")).length >= 40)
        yield* Effect.sleep(5000)
        expect(seen.filter((text) => text.startsWith("new")).length).toBe(40)
      })
    ))

  test("ends for what a poll would fail for, and refuses what it cannot use", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* produced(1, [])
        const consumer = yield* Consumer.make({ leader })
        const handle = () => Effect.void
        expect(yield* Effect.flip(consumer.run(handle))).toMatchObject({ _tag: "NotSubscribed" })
        expect(yield* Effect.flip(consumer.run(handle, { concurrency: 0 }))).toMatchObject({ _tag: "InvalidArgument", field: "options.concurrency" })
        expect(yield* Effect.flip(consumer.run(undefined as unknown as typeof handle))).toMatchObject({ _tag: "InvalidArgument", field: "handler" })
        yield* consumer.joinConsumerGroup("workers")
        yield* consumer.subscribe("jobs")
        const left = yield* Deferred.make<unknown>()
        yield* Effect.fork(Effect.flatMap(Effect.flip(consumer.run(handle)), (error) => Deferred.succeed(left, error)))
        yield* Effect.sleep(3000)
        expect(yield* Effect.flip(consumer.run(handle))).toMatchObject({ _tag: "WrongState" })
        expect(yield* Effect.flip(consumer.poll())).toMatchObject({ _tag: "WrongState" })
        yield* consumer.leaveConsumerGroup
        expect(yield* Deferred.await(left)).toMatchObject({ _tag: "NotSubscribed" })
      })
    ))
})
