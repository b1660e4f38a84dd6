import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect, Either, Exit, Layer, Logger, Scope } from "effect"
import fc from "fast-check"
import { layer as checksum } from "../../../../adapters/checksum/checksum.ts"
import { layer as memoryLog } from "../../../../adapters/log/memory/layer.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { MemoryNetwork } from "../../../../adapters/transport/memory.ts"
import type { Event } from "../../../../domain/cluster/event.ts"
import { Event as Events } from "../../../../domain/cluster/event.ts"
import { evolve } from "../../../../domain/cluster/evolve.ts"
import { toSnapshot } from "../../../../domain/cluster/snapshot.ts"
import { type Cluster, initial } from "../../../../domain/cluster/state.ts"
import { fold } from "../../../../domain/kernel/decider.ts"
import { decodeEvents } from "../../../../domain/kernel/decode-events.ts"
import type { TopicId } from "../../../../domain/kernel/id.ts"
import { RecordBatch } from "../../../../domain/log/batch.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import { encodeBatch } from "../../../../domain/log/record.ts"
import { type ImageCheckpoint, readCheckpoint, writeCheckpoint } from "../../../../src/broker/image/checkpoint-form.ts"
import { Image } from "../../../../src/broker/image/image.ts"
import { runSteps } from "../../../../src/ports/event-loop.ts"
import { LogStore } from "../../../../src/ports/log-store.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import type { ResponseDraft } from "../../../../src/protocol/type/wire.ts"
import { route } from "../../../../src/wire/route.ts"
import { serve } from "../../../../src/wire/server.ts"
import { topicId } from "../../../domain/cluster/support.ts"
import { layerImage } from "../link-support.ts"

// These tests compute for long, and more so on a busy machine.
setDefaultTimeout(120_000)

const clusterId = "nP399schQga-RUBKdkOBLw"
const utf8 = new TextEncoder()
const json = (event: object): string => JSON.stringify(event)

/** The events of a journal: a cluster with topics and settings; `flavour` makes the histories differ. */
const history = (count: number, flavour = ""): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, n) => {
    if (n === 0) return json({ _tag: "ClusterFounded", v: 1, clusterId })
    if (n === 1) return json({ _tag: "BrokerRegistered", v: 1, brokerId: 1, incarnationId: "p", brokerEpoch: 1, host: "h", port: 1, rack: null })
    const topic = topicId(n - (n % 4))
    if (n % 4 === 0) return json({ _tag: "TopicAdded", v: 1, topic: `t${flavour}-${n}`, topicId: topic, configs: {} })
    if (n % 4 === 1) return json({ _tag: "PartitionPlaced", v: 1, topicId: topic, partition: 0, replicas: [1], isr: [1], leader: 1, leaderEpoch: 0 })
    if (n % 4 === 2) return json({ _tag: "TopicConfigsChanged", v: 1, topicId: topic, configs: { "retention.ms": String(n) } })
    return n % 12 === 7
      ? json({ _tag: "TopicRemoved", v: 1, topic: `t${flavour}-${n - 3}`, topicId: topic })
      : json({ _tag: "ProducerIdsAllocated", v: 1, brokerId: 1, first: String(n), count: 1 })
  })
/** Batches of ten events. */
const batchesOf = (events: ReadonlyArray<string>): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.ceil(events.length / 10) }, (_, at) => {
    const records = events
      .slice(at * 10, at * 10 + 10)
      .map((event) => ({ timestamp: 1, key: utf8.encode(JSON.parse(event)._tag), value: utf8.encode(event), headers: [] }))
    return encodeBatch({ codec: "none", baseOffset: at * 10, records }, { crc32c, compress: (_, bytes) => bytes })
  })
const decode = decodeEvents(Events)
const stateOf = (events: ReadonlyArray<string>): Cluster =>
  fold(
    evolve,
    initial,
    events.map((event): Event => Either.getOrThrow(decode(JSON.parse(event))))
  )

/** A leader that serves a journal and records the offsets from which the image fetches. */
class FakeLeader {
  readonly asked: Array<number> = []
  private readonly batches: ReadonlyArray<Uint8Array>
  constructor(readonly events: ReadonlyArray<string>) {
    this.batches = batchesOf(events)
  }
  readonly route = route(Fetch, {}, ({ maxWaitMs, topics }) => {
    const from = Number(topics[0]?.partitions[0]?.fetchOffset)
    this.asked.push(from)
    const end = this.events.length
    if (from === end && maxWaitMs > 0) return Effect.never
    const isThere = from <= end
    const records = isThere ? Buffer.concat(this.batches.slice(Math.floor(from / 10), Math.floor(from / 10) + 50)) : null
    const partition = { partitionIndex: 0, errorCode: isThere ? 0 : 1, highWatermark: BigInt(isThere ? end : -1), abortedTransactions: null, records }
    return { responses: [{ topicId: "AAAAAAAAAAAAAAAAAAAAAQ", partitions: [partition] }] } satisfies ResponseDraft<typeof Fetch>
  })
}

interface Life {
  readonly disk: MemoryDisk
  readonly leader: FakeLeader
  readonly intervalEvents?: number
  readonly clusterId?: string | undefined
  /** The log lines of the run. */
  readonly lines?: Array<string>
}

/** Runs a broker's image once: it catches up with the leader, `use` inspects it, and it shuts down cleanly. */
const live = <A>(life: Life, use: (image: Image["Type"], store: LogStore["Type"]) => Effect.Effect<A, unknown>): Promise<A> => {
  const lines = life.lines ?? []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  const program = Effect.gen(function* () {
    const options = { requestBytesMax: 100_000, connectionsMax: 10, inFlightRequestsMax: 10, writeBufferBytesMax: 100_000 }
    const address = yield* serve({ host: "127.0.0.1", port: 0 }, [life.leader.route], options)
    const store = yield* LogStore
    const scope = yield* Scope.fork(yield* Effect.scope, { _tag: "Sequential" })
    const known = "clusterId" in life ? life.clusterId : clusterId
    const layer = layerImage(address, known, { "metadata.snapshot.interval.events": life.intervalEvents ?? 100_000 })
    const image = Context.get(yield* Layer.buildWithScope(layer, scope), Image)
    yield* Effect.forkIn(
      image.follow(() => undefined),
      scope
    )
    yield* image.caughtUp
    const used = yield* use(image, store)
    yield* Scope.close(scope, Exit.void)
    return used
  })
  const layers = Layer.provideMerge(memoryLog(life.disk), Layer.merge(checksum, new MemoryNetwork().layer("here")))
  return Effect.runPromise(
    Effect.scoped(program).pipe(Effect.timeout("60 seconds"), Effect.provide(layers), Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  )
}
const snapshotOf = (image: Image["Type"]) => Effect.sync(() => ({ state: toSnapshot(image.cluster()), removed: [...image.removed].sort() }))
const removedIn = (events: ReadonlyArray<string>) =>
  events.flatMap((event) => (JSON.parse(event)._tag === "TopicRemoved" ? [JSON.parse(event).topicId as string] : [])).sort()
const expected = (events: ReadonlyArray<string>) => ({
  state: toSnapshot(stateOf(events)),
  removed: removedIn(events) as ReadonlyArray<string> as Array<TopicId>
})
const asideLine = "The checkpoint of the cluster's image is not used"

/** Returns a disk on which a broker has shut down cleanly after `count` events. */
const stoppedAfter = async (count: number, flavour = ""): Promise<MemoryDisk> => {
  const disk = new MemoryDisk()
  await live({ disk, leader: new FakeLeader(history(count, flavour)) }, () => Effect.void)
  return disk
}

describe("given a broker that shut down cleanly after 2,000 events", () => {
  test("when it restarts, then it loads its checkpoint, fetches from there, and has the state of all events", async () => {
    const disk = await stoppedAfter(2000)
    const events = history(2345)
    const leader = new FakeLeader(events)
    const lines: Array<string> = []
    expect(await live({ disk, leader, lines }, snapshotOf)).toEqual(expected(events))
    expect(leader.asked[0]).toBe(1999)
    expect(Math.min(...leader.asked)).toBe(1999)
    expect(lines.filter((line) => line.includes(asideLine))).toEqual([])
  })
  test.each([
    ["is shorter", 1500, ""],
    ["ends one event before it", 1999, ""],
    ["has another history", 2400, "other"]
  ])(
    "when the leader's journal %s, then the checkpoint is ignored with one log line, and the journal is read from its beginning",
    async (_, count, flavour) => {
      const disk = await stoppedAfter(2000)
      const events = history(count, flavour)
      const leader = new FakeLeader(events)
      const lines: Array<string> = []
      expect(await live({ disk, leader, lines }, snapshotOf)).toEqual(expected(events))
      expect(leader.asked.slice(0, 2)).toEqual([1999, 0])
      expect(lines.filter((line) => line.includes(asideLine))).toHaveLength(1)
    }
  )
  test.each([
    ["another cluster", "BvXgbDGDQkqSB0fKXyZf6Q"],
    ["no cluster yet", undefined]
  ])("when its directory belongs to %s, then the checkpoint is ignored", async (_, owner) => {
    const disk = new MemoryDisk()
    const events = history(2000)
    // Written by hand, like a file that was copied here: the run that reads the directory claims it.
    const document = await Effect.runPromise(runSteps(writeCheckpoint({ cluster: stateOf(events), last: lastOf(events), removed: [] })))
    await onDisk(disk, (store) => store.writeCheckpoint("cluster-image", document))
    const leader = new FakeLeader(events)
    const lines: Array<string> = []
    await live({ disk, leader, lines, clusterId: owner }, () => Effect.void)
    expect(leader.asked[0]).toBe(0)
    expect(lines.filter((line) => line.includes(asideLine) && line.includes("belongs to"))).toHaveLength(1)
  })
  test.each([
    ["of a later version", (text: string) => text.replace('{"v":1', '{"v":2')],
    ["cut off within a line", (text: string) => text.slice(0, -20)],
    ["with a malformed row", (text: string) => text.replace('"partitions":[[', '"partitions":[["x",')],
    ["followed by extra bytes", (text: string) => `${text}x`],
    ["empty", () => ""]
  ])("when the checksum is right, but the document is %s, then it is ignored with one log line", async (_, change) => {
    const disk = await stoppedAfter(2000)
    await onDisk(disk, (store) =>
      Effect.flatMap(store.readCheckpoint("cluster-image"), ([bytes]) =>
        store.writeCheckpoint("cluster-image", utf8.encode(change(new TextDecoder().decode(bytes))))
      )
    )
    const events = history(2100)
    const leader = new FakeLeader(events)
    const lines: Array<string> = []
    expect(await live({ disk, leader, lines }, snapshotOf)).toEqual(expected(events))
    expect(leader.asked[0]).toBe(0)
    expect(lines.filter((line) => line.includes(asideLine))).toHaveLength(1)
  })
  test("when both copies are damaged, then the broker starts, and the next shutdown writes a checkpoint that is used", async () => {
    const disk = await stoppedAfter(2000)
    for (const slot of [0, 1]) {
      const path = `/data/checkpoints/cluster-image.${slot}`
      const bytes = disk.contents(path)
      bytes[60] = (bytes[60] as number) ^ 1
      disk.overwrite(path, bytes)
    }
    const events = history(2100)
    const lines: Array<string> = []
    const damaged = new FakeLeader(events)
    expect(await live({ disk, leader: damaged, lines }, snapshotOf)).toEqual(expected(events))
    expect(damaged.asked[0]).toBe(0)
    expect(lines.filter((line) => line.includes(asideLine) && line.includes("damaged"))).toHaveLength(1)
    const again = new FakeLeader(events)
    await live({ disk, leader: again }, () => Effect.void)
    expect(again.asked[0]).toBe(2099)
  })
})

const lastOf = (events: ReadonlyArray<string>): ImageCheckpoint["last"] => {
  const batch = new RecordBatch(batchesOf(events).at(-1) as Uint8Array)
  return { baseOffset: batch.baseOffset, leaderEpoch: batch.partitionLeaderEpoch, crc: batch.crc }
}
const onDisk = <A>(disk: MemoryDisk, use: (store: LogStore["Type"]) => Effect.Effect<A, unknown>): Promise<A> =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(LogStore, use)).pipe(Effect.provide(Layer.provideMerge(memoryLog(disk), checksum))))

test("a broker that stops after a few events writes no checkpoint", async () => {
  const disk = await stoppedAfter(50)
  expect(await onDisk(disk, (store) => store.readCheckpoint("cluster-image"))).toEqual([])
})

test("a running broker writes a checkpoint every metadata.snapshot.interval.events, so that a kill costs only the events since then", async () => {
  const disk = new MemoryDisk()
  const leader = new FakeLeader(history(300))
  const written = await live({ disk, leader, intervalEvents: 100 }, (_, store) =>
    Effect.flatMap(Effect.sleep(0), () => Effect.repeat(store.readCheckpoint("cluster-image"), { until: (found) => found.length > 0 }))
  )
  expect(written.length).toBe(1)
})

test("killed between any two writes of a checkpoint, the broker starts with the older or the newer one, and reaches the same state", async () => {
  const older = history(1500)
  const newer = history(3000)
  const stopped = await stoppedAfter(1500)
  const begins = new Set<number>()
  for (let changes = 1; changes < 12; changes++)
    for (const draw of [0, 0.99]) {
      const disk = stopped.copy()
      disk.crashAfter(changes, () => draw)
      await live({ disk, leader: new FakeLeader(newer) }, () => Effect.void)
      disk.crash(() => draw)
      const leader = new FakeLeader(newer)
      expect(await live({ disk, leader }, snapshotOf)).toEqual(expected(newer))
      begins.add(leader.asked[0] ?? -1)
    }
  expect([...begins].sort()).toEqual([older.length - 1, newer.length - 1].sort())
})

test("M2: any image equals its checkpoint after a round trip", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 2, max: 400 }), async (count) => {
      const events = history(count)
      const image: ImageCheckpoint = {
        cluster: stateOf(events),
        last: { baseOffset: count - 1, leaderEpoch: 3, crc: 4_000_000_000 },
        removed: removedIn(events) as Array<TopicId>
      }
      const read = Either.getOrThrow(await Effect.runPromise(runSteps(readCheckpoint(await Effect.runPromise(runSteps(writeCheckpoint(image)))))))
      expect({ ...read, cluster: toSnapshot(read.cluster) }).toEqual({ ...image, cluster: toSnapshot(image.cluster) })
      expect([...read.cluster.load]).toEqual([...image.cluster.load].filter(([, partitions]) => partitions > 0))
    }),
    { numRuns: 50 }
  )
})

test("a large image is written and read in steps of about a millisecond", () => {
  let cluster = stateOf(history(2))
  const added = Either.getOrThrow(decode({ _tag: "TopicAdded", v: 1, topic: "wide", topicId: topicId(1), configs: {} }))
  cluster = evolve(cluster, added)
  for (let n = 0; n < 200; n++) {
    const id = topicId(n + 10)
    cluster = evolve(cluster, Either.getOrThrow(decode({ _tag: "TopicAdded", v: 1, topic: `t${n}`, topicId: id, configs: {} })))
    for (let partition = 0; partition < 50; partition++)
      cluster = evolve(
        cluster,
        Either.getOrThrow(decode({ _tag: "PartitionPlaced", v: 1, topicId: id, partition, replicas: [1], isr: [1], leader: 1, leaderEpoch: 0 }))
      )
  }
  const steps = writeCheckpoint({ cluster, last: { baseOffset: 0, leaderEpoch: 0, crc: 0 }, removed: [] })
  let [pauses, next] = [0, steps.next()]
  for (; next.done !== true; next = steps.next()) pauses++
  expect(pauses).toBeGreaterThan(10_000 / 256)
  const reading = readCheckpoint(next.value)
  let [readPauses, read] = [0, reading.next()]
  for (; read.done !== true; read = reading.next()) readPauses++
  expect(readPauses).toBeGreaterThan(10_000 / 256)
  expect(toSnapshot(Either.getOrThrow(read.value).cluster)).toEqual(toSnapshot(cluster))
})
