import { expect, test } from "bun:test"
import { Context, Effect, Layer, Logger, LogLevel } from "effect"
import { layer as checksum } from "../../../../adapters/checksum/checksum.ts"
import { layer as memoryLog } from "../../../../adapters/log/memory/layer.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { layerBun } from "../../../../adapters/transport/bun.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import { encodeBatch } from "../../../../domain/log/record.ts"
import { Image } from "../../../../src/broker/image/image.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import type { ResponseDraft } from "../../../../src/protocol/type/wire.ts"
import { route } from "../../../../src/wire/route.ts"
import { serve } from "../../../../src/wire/server.ts"
import { layerImage } from "../link-support.ts"

const journal = encodeBatch(
  {
    codec: "none",
    records: [{ timestamp: 1, key: null, value: new TextEncoder().encode('{"_tag":"ClusterFounded","v":1,"clusterId":"nP399schQga-RUBKdkOBLw"}'), headers: [] }]
  },
  { crc32c, compress: (_, bytes) => bytes }
)

const answer = (from: number): ResponseDraft<typeof Fetch> => {
  const partition = { partitionIndex: 0, errorCode: 0, highWatermark: 1n, abortedTransactions: null, records: from === 0 ? journal : null }
  return { throttleTimeMs: 0, responses: [{ topicId: "AAAAAAAAAAAAAAAAAAAAAQ", partitions: [partition] }] }
}

// Regression: the image built its Fetch once and repeated it, so it always fetched from the first event and never waited.
test("the image fetches from the offset after its last event", async () => {
  const asked: Array<number> = []
  const fakeLeader = (enough: () => void) =>
    route(Fetch, {}, (request) => {
      const from = Number(request.topics[0]?.partitions[0]?.fetchOffset)
      asked.push(from)
      if (asked.length < 3) return answer(from)
      enough()
      return Effect.never
    })
  const program = Effect.gen(function* () {
    const done = yield* Effect.makeLatch(false)
    const options = { requestBytesMax: 100_000, connectionsMax: 10, inFlightRequestsMax: 10, writeBufferBytesMax: 100_000 }
    const leader = yield* serve({ host: "127.0.0.1", port: 0 }, [fakeLeader(() => done.unsafeOpen())], options)
    const image = Context.get(yield* Layer.build(layerImage(leader, undefined)), Image)
    yield* Effect.forkScoped(image.follow(() => undefined))
    yield* done.await
  })
  const layers = Layer.provideMerge(memoryLog(new MemoryDisk()), Layer.merge(checksum, layerBun))
  await Effect.runPromise(Effect.scoped(program).pipe(Effect.timeout("60 seconds"), Effect.provide(layers)))
  expect(asked).toEqual([0, 1, 1])
}, 300_000)

/** Returns the fault of an image whose leader sends this response. */
const faultOf = (answers: (from: number) => ResponseDraft<typeof Fetch>) => {
  const program = Effect.gen(function* () {
    const options = { requestBytesMax: 100_000, connectionsMax: 10, inFlightRequestsMax: 10, writeBufferBytesMax: 100_000 }
    const routes = [route(Fetch, {}, (request) => answers(Number(request.topics[0]?.partitions[0]?.fetchOffset)))]
    const leader = yield* serve({ host: "127.0.0.1", port: 0 }, routes, options)
    const image = Context.get(yield* Layer.build(layerImage(leader, undefined)), Image)
    return yield* Effect.flip(image.follow(() => undefined))
  })
  const layers = Layer.provideMerge(memoryLog(new MemoryDisk()), Layer.merge(checksum, layerBun))
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.timeout("60 seconds"), Logger.withMinimumLogLevel(LogLevel.None), Effect.provide(layers)))
}

test("M3: an event that this version does not know stops the broker; the fault names the event", async () => {
  const later = encodeBatch(
    {
      codec: "none",
      baseOffset: 1,
      records: [{ timestamp: 1, key: new TextEncoder().encode("MoonRisen"), value: new TextEncoder().encode('{"_tag":"MoonRisen","v":1}'), headers: [] }]
    },
    { crc32c, compress: (_, bytes) => bytes }
  )
  const fault = await faultOf((from) => {
    const found = answer(from)
    const [topic] = found.responses
    const partition = { ...topic?.partitions[0], partitionIndex: 0, errorCode: 0, highWatermark: 2n, abortedTransactions: null }
    return { ...found, responses: [{ ...topic, partitions: [{ ...partition, records: from === 0 ? journal : later }] }] }
  })
  expect(fault).toMatchObject({ _tag: "BrokerFault", kind: "unreadable event" })
  expect(fault.message).toContain("entry 1 of type MoonRisen")
})

test("a leader whose journal ends before the offset that this broker has read stops the broker: the histories differ", async () => {
  const fault = await faultOf((from) => {
    if (from === 0) return answer(from)
    const partition = { partitionIndex: 0, errorCode: 1, highWatermark: -1n, abortedTransactions: null, records: null }
    return { throttleTimeMs: 0, responses: [{ topicId: "AAAAAAAAAAAAAAAAAAAAAQ", partitions: [partition] }] }
  })
  expect(fault).toMatchObject({ _tag: "BrokerFault", kind: "lost events" })
})

// Regression: the image applied the events before the damage without reporting them, so no log was opened for their partitions.
test("damaged batches are fetched again, and the events before them are reported at once", async () => {
  const told: Array<string> = []
  const later = encodeBatch(
    {
      codec: "none",
      baseOffset: 1,
      records: [{ timestamp: 1, key: null, value: new TextEncoder().encode('{"_tag":"GroupStreamsFixed","v":1,"count":3}'), headers: [] }]
    },
    { crc32c, compress: (_, bytes) => bytes }
  )
  const damaged = new Uint8Array([...journal, ...later])
  damaged[damaged.length - 3] = 0
  const asked: Array<number> = []
  const program = Effect.gen(function* () {
    const done = yield* Effect.makeLatch(false)
    const options = { requestBytesMax: 100_000, connectionsMax: 10, inFlightRequestsMax: 10, writeBufferBytesMax: 100_000 }
    const fakeLeader = route(Fetch, {}, (request) => {
      asked.push(Number(request.topics[0]?.partitions[0]?.fetchOffset))
      if (asked.length > 2) return Effect.never
      const partition = { partitionIndex: 0, errorCode: 0, highWatermark: 2n, abortedTransactions: null, records: asked.length === 1 ? damaged : later }
      return { throttleTimeMs: 0, responses: [{ topicId: "AAAAAAAAAAAAAAAAAAAAAQ", partitions: [partition] }] }
    })
    const leader = yield* serve({ host: "127.0.0.1", port: 0 }, [fakeLeader], options)
    const onEvents = (events: ReadonlyArray<{ readonly _tag: string }>) => {
      told.push(...events.map(({ _tag }) => _tag))
      if (told.includes("GroupStreamsFixed")) done.unsafeOpen()
    }
    const image = Context.get(yield* Layer.build(layerImage(leader, undefined)), Image)
    yield* Effect.forkScoped(image.follow(onEvents))
    yield* done.await
  })
  const layers = Layer.provideMerge(memoryLog(new MemoryDisk()), Layer.merge(checksum, layerBun))
  await Effect.runPromise(Effect.scoped(program).pipe(Effect.timeout("60 seconds"), Logger.withMinimumLogLevel(LogLevel.None), Effect.provide(layers)))
  expect(asked.slice(0, 2)).toEqual([0, 1])
  expect(told).toEqual(["ClusterFounded", "GroupStreamsFixed"])
}, 300_000)

test("a journal that arrives damaged repeatedly stops the broker: it is damaged at the leader", async () => {
  const damaged = journal.slice()
  damaged[damaged.length - 3] = (damaged[damaged.length - 3] ?? 0) ^ 1
  const partition = { partitionIndex: 0, errorCode: 0, highWatermark: 1n, abortedTransactions: null, records: damaged }
  const fault = await faultOf(() => ({ throttleTimeMs: 0, responses: [{ topicId: "AAAAAAAAAAAAAAAAAAAAAQ", partitions: [partition] }] }))
  expect(fault).toMatchObject({ _tag: "BrokerFault", kind: "damaged data" })
  expect(fault.message).toContain("franz log verify")
}, 300_000)
