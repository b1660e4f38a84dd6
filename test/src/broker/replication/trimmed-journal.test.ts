import { expect, test } from "bun:test"
import { Chunk, Effect, Exit, Layer, Stream } from "effect"
import { layerTypescript as checksum } from "../../../../adapters/checksum/checksum.ts"
import { layerTypescript as compression } from "../../../../adapters/compression/compression.ts"
import { MemoryStreams } from "../../../../adapters/journal/memory.ts"
import type { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { Command } from "../../../../domain/cluster/command.ts"
import { toSnapshot } from "../../../../domain/cluster/snapshot.ts"
import { topicByName } from "../../../../domain/cluster/state.ts"
import { metadataTopic, metadataTopicId } from "../../../../domain/cluster/topic/name.ts"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { clusterEvents } from "../../../../src/client/consumer/cluster-events.ts"
import type { RunningLeader } from "../../../../src/leader/leader.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import { FetchSnapshot } from "../../../../src/protocol/message/59-fetch-snapshot.ts"
import type { Link } from "../../../../src/wire/link.ts"
import { topicId } from "../../../domain/cluster/support.ts"
import { createReplicated, partitionOf, produce, ReplicatedWorld, until } from "./support.ts"

/** The journal is trimmed behind the snapshot before the newest at once, by stretches of about 64 KiB. */
const trimmed = { "metadata.snapshot.interval.events": 100, "metadata.max.retention.bytes": 0 }

const add = (leader: RunningLeader, topic: string, n: number, assignments: ReadonlyArray<ReadonlyArray<number>>) =>
  leader.writer.submit({
    command: Command.AddTopic({
      topic,
      topicId: topicId(n),
      partitionCount: -1,
      replicationFactor: -1,
      replicationFactorMax: 3,
      defaultPartitionCount: 1,
      partitionsPerBrokerMax: 1000,
      assignments: assignments.map((replicas, partition) => ({ partition, replicas })),
      configs: [],
      validateOnly: false
    }),
    commandId: `add ${topic}`,
    actor: "test",
    cause: "test"
  })
const remove = (leader: RunningLeader, topic: string) =>
  leader.writer.submit({ command: Command.RemoveTopic({ topic: { name: topic } }), commandId: `remove ${topic}`, actor: "test", cause: "test" })

/** Creates and removes topics until the journal begins after `index`. */
const trimBehind = (leader: RunningLeader, index: number, prefix: string) =>
  Effect.gen(function* () {
    for (let n = 0; leader.writer.start() <= index; n++) {
      if (n === 20) return yield* Effect.die(new Error(`The journal still begins at ${leader.writer.start()}.`))
      yield* add(
        leader,
        `${prefix}${n}`,
        1000 + leader.writer.end(),
        Array.from({ length: 200 }, () => [1])
      )
      yield* remove(leader, `${prefix}${n}`)
      yield* Effect.sleep(50)
    }
  })
const directoriesOf = (disk: MemoryDisk): ReadonlyArray<string> => disk.session().list("/data")

const inSync = (leader: RunningLeader) => [...(partitionOf(leader)?.isr ?? [])].sort()
const topicsOf = (cluster: Parameters<typeof toSnapshot>[0]) => toSnapshot(cluster).topics

test("given a broker that was down while the journal was trimmed, when it starts, then it has the leader's image, joins again, and renames the logs of topics that were removed", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const streams = new MemoryStreams()
      const leader = yield* world.leader(trimmed, streams)
      for (const id of [1, 2]) yield* world.broker(id)
      const third = yield* world.broker(3)
      yield* createReplicated(leader, [1, 2, 3])
      yield* add(leader, "gone", 1, [[3]])
      const link = yield* world.link(1)
      yield* until(() => inSync(leader).length === 3)
      expect(yield* produce(link, "one")).toEqual(["NONE", 0])
      yield* until(() => directoriesOf(third.disk).some((name) => name.startsWith(topicId(1))))
      yield* third.stop
      const index = leader.writer.end()
      yield* remove(leader, "gone")
      expect(yield* produce(link, "two")).toEqual(["NONE", 1])
      yield* trimBehind(leader, index, "filler")

      const again = yield* world.broker(3)
      yield* until(() => inSync(leader).length === 3)
      expect(topicsOf(again.broker.cluster())).toEqual(topicsOf(leader.cluster()))
      expect(yield* produce(link, "three")).toEqual(["NONE", 2])
      const names = directoriesOf(again.disk).filter((name) => name.startsWith(topicId(1)))
      expect(names).toEqual([`${topicId(1)}-0.stray`])
    })
  )
})

test("given a broker that was cut off while the journal was trimmed, when it is connected again, then it closes and opens logs as the snapshot says, and joins again", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader(trimmed, new MemoryStreams())
      for (const id of [1, 2]) yield* world.broker(id)
      const third = yield* world.broker(3)
      yield* createReplicated(leader, [1, 2, 3])
      yield* add(leader, "gone", 1, [[3]])
      const link = yield* world.link(1)
      yield* until(() => inSync(leader).length === 3 && third.broker.cluster().index === leader.writer.end())
      yield* until(() => directoriesOf(third.disk).some((name) => name.startsWith(topicId(1))))
      const index = leader.writer.end()
      for (const other of ["leader", "broker-1", "broker-2"]) {
        world.network.cut("broker-3", other)
        world.network.drop("broker-3", other)
      }
      yield* until(() => inSync(leader).length === 2)
      yield* remove(leader, "gone")
      yield* add(leader, "came", 2, [[1, 3]])
      expect(yield* produce(link, "one")).toEqual(["NONE", 0])
      yield* trimBehind(leader, index, "filler")
      expect(third.broker.cluster().index).toBeLessThanOrEqual(leader.writer.start())

      world.network.heal()
      yield* until(() => inSync(leader).length === 3 && topicByName(leader.cluster(), "came")?.partitions.at(0)?.isr.length === 2)
      yield* until(() => third.broker.cluster().index === leader.writer.end())
      expect(topicsOf(third.broker.cluster())).toEqual(topicsOf(leader.cluster()))
      expect(yield* produce(link, "two")).toEqual(["NONE", 1])
      yield* until(() => !directoriesOf(third.disk).some((name) => name.startsWith(topicId(1)) && !name.endsWith("-delete")))
      expect(directoriesOf(third.disk).filter((name) => name.startsWith(topicId(2)))).toEqual([`${topicId(2)}-0`])
    })
  )
})

test("given a leader over a journal that was trimmed, when it starts again, then it has its state, and a new broker joins by its snapshot", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const streams = new MemoryStreams()
      const before = yield* Effect.scoped(
        Effect.gen(function* () {
          const leader = yield* world.leader(trimmed, streams)
          yield* world.broker(1)
          yield* createReplicated(leader, [1])
          yield* trimBehind(leader, 0, "filler")
          return toSnapshot(leader.cluster()).topics
        })
      )
      const leader = yield* world.leader(trimmed, streams)
      expect(leader.writer.start()).toBeGreaterThan(0)
      const second = yield* world.broker(2)
      yield* until(() => second.broker.cluster().index === leader.writer.end())
      expect(toSnapshot(second.broker.cluster()).topics.map(({ name }) => name)).toEqual(before.map(({ name }) => name))
    })
  )
})

const read = (to: Link, from: number) =>
  Effect.map(
    to.call(Fetch, {
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 1000,
      topics: [{ topic: metadataTopic, topicId: metadataTopicId, partitions: [{ partition: 0, fetchOffset: BigInt(from), partitionMaxBytes: 1000 }] }]
    }),
    ({ responses }) => {
      const partition = responses[0]?.partitions[0]
      return { error: kafkaError(partition?.errorCode ?? -1), snapshot: Number(partition?.snapshotId.endOffset) }
    }
  )
const piece = (to: Link, name: string, endOffset: number, position: number) =>
  Effect.map(
    to.call(FetchSnapshot, {
      maxBytes: 1000,
      topics: [
        { name, partitions: [{ partition: 0, currentLeaderEpoch: -1, snapshotId: { endOffset: BigInt(endOffset), epoch: 0 }, position: BigInt(position) }] }
      ]
    }),
    ({ errorCode, topics }) => {
      const found = topics[0]?.partitions[0]
      return {
        error: kafkaError(errorCode === 0 ? (found?.errorCode ?? -1) : errorCode),
        size: Number(found?.size ?? 0n),
        bytes: found?.unalignedRecords.length ?? 0
      }
    }
  )

test("given a journal that was trimmed, then Fetch from before its start names the snapshot, and FetchSnapshot gives it piece by piece", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader(trimmed, new MemoryStreams())
      yield* world.broker(1)
      yield* createReplicated(leader, [1])
      const link = yield* world.linkTo("leader")
      expect(yield* read(link, 0)).toEqual({ error: "NONE", snapshot: -1 })
      yield* trimBehind(leader, 0, "filler")
      const { error, snapshot } = yield* read(link, 0)
      expect([error, snapshot > leader.writer.start()]).toEqual(["OFFSET_OUT_OF_RANGE", true])
      // Behind the end there is nothing that a snapshot could replace.
      expect(yield* read(link, leader.writer.end() + 1)).toEqual({ error: "OFFSET_OUT_OF_RANGE", snapshot: -1 })

      const start = leader.writer.start()
      const platform = Layer.mergeAll(checksum, compression, world.network.layer("client"))
      const events = (options?: { readonly from: number }) => Effect.provide(Stream.runCollect(clusterEvents({ leader: "leader:9092" }, options)), platform)
      expect(Chunk.toReadonlyArray(yield* events()).map(({ offset }) => offset)[0]).toBe(start)
      expect((yield* Effect.flip(events({ from: start - 1 }))).message).toContain(`${start} or more`)

      const first = yield* piece(link, metadataTopic, snapshot, 0)
      expect([first.error, first.bytes, first.size > 1000]).toEqual(["NONE", 1000, true])
      expect(yield* piece(link, metadataTopic, snapshot, first.size - 1)).toEqual({ error: "NONE", size: first.size, bytes: 1 })
      expect((yield* piece(link, metadataTopic, snapshot, first.size + 1)).error).toBe("POSITION_OUT_OF_RANGE")
      expect((yield* piece(link, metadataTopic, snapshot - 1, 0)).error).toBe("SNAPSHOT_NOT_FOUND")
      expect((yield* piece(link, "orders", snapshot, 0)).error).toBe("CLUSTER_AUTHORIZATION_FAILED")
      // Else one small request would have a response of many MiB, and read the snapshot of the journal for each wrong name.
      const asked = { partition: 0, currentLeaderEpoch: -1, snapshotId: { endOffset: BigInt(snapshot), epoch: 0 }, position: 0n }
      const one = { name: metadataTopic, partitions: [asked] }
      for (const topics of [[], [one, one], [{ name: metadataTopic, partitions: [asked, asked] }]]) {
        const { errorCode, topics: answered } = yield* link.call(FetchSnapshot, { maxBytes: 1000, topics })
        expect([kafkaError(errorCode), answered]).toEqual(["INVALID_REQUEST", []])
      }
    })
  )
})

test.each([
  ["a broker is registered that cannot begin with a snapshot", {}, 3],
  ["nothing is older than metadata.max.retention.ms, and bytes have no bound", { "metadata.max.retention.bytes": -1 }, undefined]
])("the journal is kept whole where %s", (_, config, eventLevel) => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader({ ...trimmed, ...config }, new MemoryStreams())
      yield* world.broker(1)
      yield* createReplicated(leader, [1])
      if (eventLevel !== undefined) {
        const command = Command.RegisterBroker({
          brokerId: 2,
          incarnationId: "older",
          clusterId: "",
          host: "h",
          port: 1,
          rack: null,
          isConnected: false,
          eventLevel
        })
        yield* leader.writer.submit({ command, commandId: "older", actor: "test", cause: "test" })
      }
      const kept = yield* Effect.exit(trimBehind(leader, 0, "filler"))
      expect([Exit.isFailure(kept), leader.writer.start()]).toEqual([true, 0])
      if (eventLevel === undefined) return
      // Once it is gone, the next snapshot trims.
      const command = Command.UnregisterBroker({ brokerId: 2 })
      yield* leader.writer.submit({ command, commandId: "gone", actor: "test", cause: "test" })
      yield* trimBehind(leader, 0, "more")
    })
  )
})

test("events older than metadata.max.retention.ms are trimmed behind the snapshot before the newest", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader({ ...trimmed, "metadata.max.retention.bytes": -1, "metadata.max.retention.ms": 60_000 }, new MemoryStreams())
      yield* world.broker(1)
      yield* createReplicated(leader, [1])
      expect(Exit.isFailure(yield* Effect.exit(trimBehind(leader, 0, "young")))).toBe(true)
      const young = leader.writer.end()
      yield* Effect.sleep(70_000)
      yield* trimBehind(leader, 0, "later")
      expect(leader.writer.start()).toBeLessThanOrEqual(young)
    })
  )
})
