import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Scope } from "effect"
import { crc32c } from "../../domain/log/crc32c.ts"
import { encodeBatch } from "../../domain/log/record.ts"
import { Admin, type AdminService, Consumer, type Message, Producer, type ProducerOptions } from "../../src/programs/library.ts"
import { requestFrame } from "../../src/protocol/codec/frame.ts"
import { joined } from "../../src/protocol/codec/joined.ts"
import { Produce } from "../../src/protocol/message/00-produce.ts"
import { OffsetCommit } from "../../src/protocol/message/08-offset-commit.ts"
import { DeleteRecords } from "../../src/protocol/message/21-delete-records.ts"
import { InitProducerId } from "../../src/protocol/message/22-init-producer-id.ts"
import { OffsetDelete } from "../../src/protocol/message/47-offset-delete.ts"
import { RawConnection } from "../../test/interop/support/raw.ts"

/** Settings of every node over these data, when they are made and when they are opened: no offset and no producer may expire, however old the data are. */
export const settingsOfOlderData: ReadonlyArray<string> = [
  "log.cleaner.backoff.ms=100",
  "offsets.retention.minutes=2000000000",
  "producer.id.expiration.ms=2000000000",
  "group.initial.rebalance.delay.ms=0"
].flatMap((setting) => ["-X", setting])

/** Settings of every topic: no record may expire, and segments are small enough that some are sealed. */
const kept = { "retention.ms": "-1", "segment.bytes": "20000", "segment.ms": "9000000000000" }
const codecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const

const words = ["apples", "pears", "plums", "quinces", "medlars", "cherries", "figs", "dates"]
/** Values without a short period, so that they do not compress to nothing. */
const textOf = (number: number): string => {
  let state = (number * 2_654_435_761) >>> 0
  const drawn = Array.from({ length: 8 }, () => {
    state = (state * 1_664_525 + 1_013_904_223) >>> 0
    return `${words[state >>> 29]}:${(state >>> 8) % 10_000}`
  })
  return `{"order":${number},"lines":"${drawn.join(" ")}"}`
}
const messages = (from: number, count: number, more: (number: number) => Partial<Message> = () => ({})): ReadonlyArray<Message> =>
  Array.from({ length: count }, (_, at) => ({ key: `customer-${(from + at) % 97}`, value: textOf(from + at), ...more(from + at) }))

/** Sends messages with a producer of its own, in batches of about `batchBytesMax`, and fails unless each is stored. */
const send = (leader: string, topic: string, batch: ReadonlyArray<Message>, options: Partial<ProducerOptions> = {}) =>
  Effect.scoped(
    Effect.gen(function* () {
      const producer = yield* Producer.make({ leader, batchBytesMax: 4096, ...options })
      const refused: Array<unknown> = []
      yield* producer.sendMessages(topic, batch, (_, outcome) => void (outcome._tag === "Left" && refused.push(outcome.left)))
      yield* producer.flush
      if (refused.length > 0) yield* Effect.dieMessage(`${refused.length} messages were refused, the first by ${String(refused[0])}`)
    })
  )

const portOf = (address: string): number => Number(address.split(":")[1])
const raw = async <A>(address: string, use: (connection: RawConnection) => Promise<A>): Promise<A> => {
  const connection = await RawConnection.open(portOf(address))
  try {
    return await use(connection)
  } finally {
    connection.close()
  }
}
const mustBeZero = (what: string, codes: ReadonlyArray<number>): void => {
  if (codes.some((code) => code !== 0)) throw new Error(`${what}: error codes ${codes.join(", ")}`)
}

/** Waits until the log of `topicId` has been compacted from its start on. */
const compacted = async (data: string, topicId: string): Promise<void> => {
  const broker = join(data, "broker-0")
  const id = Buffer.from(topicId.replaceAll("-", ""), "hex").toString("base64url")
  for (;;) {
    const directory = readdirSync(broker).find((name) => name === `${id}-0` || name === `${topicId}-0`)
    const note = join(broker, directory ?? "", "compaction")
    if (directory !== undefined && existsSync(note) && Number(/^clean (\d+)$/m.exec(readFileSync(note, "utf8"))?.[1] ?? 0) > 0) return
    await Bun.sleep(50)
  }
}

/** An offset with a text of the client's own, in a group without members. */
const commit = (connection: RawConnection, groupId: string, topic: string, offsets: ReadonlyArray<readonly [offset: number, text: string]>) =>
  connection
    .call(OffsetCommit, 7, {
      groupId,
      memberId: "",
      topics: [
        {
          name: topic,
          partitions: offsets.map(([offset, text], partitionIndex) => ({ partitionIndex, committedOffset: BigInt(offset), committedMetadata: text }))
        }
      ]
    })
    .then(({ topics }) =>
      mustBeZero(
        `commit of ${groupId}`,
        topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode))
      )
    )

/** Becomes a static member, reads `polled` messages, commits them, and is a member still when the node ends. */
const readAsMember = (leader: string, group: string, topic: string, instanceId: string, polled: number) =>
  Effect.gen(function* () {
    const consumer = yield* Consumer.make({ leader, from: "earliest", commitIntervalMs: "never", closeTimeoutMs: 0 })
    yield* consumer.joinConsumerGroup(group, { instanceId, sessionTimeoutMs: 6000 })
    yield* consumer.subscribe(topic)
    for (let read = 0; read < polled; ) read += (yield* consumer.poll({ maxRecords: 10, timeoutMs: 1000 })).length
    yield* consumer.poll({ maxRecords: 1, timeoutMs: 0 })
    yield* consumer.commit
  })

/** A request that was acknowledged, and the offset that it got: sent again it must get the same, since the producer's sequence is known. */
interface RepeatedProduce {
  readonly frame: string
  readonly baseOffset: number
}
const produceOnce = (address: string, topic: string): Promise<RepeatedProduce> =>
  raw(address, async (connection) => {
    const { errorCode, producerEpoch, producerId } = await connection.call(InitProducerId, 1, { transactionalId: null, transactionTimeoutMs: 1000 })
    mustBeZero("producer id", [errorCode])
    const batch = (baseSequence: number) =>
      encodeBatch(
        {
          codec: "none",
          producerId,
          producerEpoch,
          baseSequence,
          records: messages(baseSequence, 5).map(({ value }) => ({ timestamp: 1_700_000_000_000, key: null, value: Buffer.from(String(value)) }))
        },
        { crc32c, compress: (_, bytes) => bytes }
      )
    const request = (records: Uint8Array) => ({ acks: -1, timeoutMs: 30_000, topicData: [{ name: topic, partitionData: [{ index: 0, records }] }] })
    for (const sequence of [0, 5]) {
      const { responses } = await connection.call(Produce, 7, request(batch(sequence)))
      mustBeZero(
        "produce",
        responses.flatMap(({ partitionResponses }) => partitionResponses.map((each) => each.errorCode))
      )
      if (sequence === 5) {
        const frame = joined(requestFrame(Produce, 7, { correlationId: 7, clientId: "older-data" }, request(batch(sequence))))
        return { frame: Buffer.from(frame).toString("base64"), baseOffset: Number(responses[0]?.partitionResponses[0]?.baseOffset) }
      }
    }
    throw new Error("unreachable")
  })

const adding =
  (admin: AdminService) =>
  (topic: string, partitions: number, configs: Readonly<Record<string, string>> = {}) =>
    admin.addTopic(topic, { partitions, configs: { ...kept, ...configs } })

/** All codecs, with and without idempotence, with times of the log. */
const fillPlain = (leader: string, admin: AdminService) =>
  Effect.gen(function* () {
    const add = adding(admin)
    yield* add("orders", 3)
    for (const [at, compression] of codecs.entries())
      yield* send(
        leader,
        "orders",
        messages(at * 400, 400, (number) => ({ headers: { number: String(number), codec: compression } })),
        { compression }
      )
    yield* add("unsynced", 2)
    yield* send(
      leader,
      "unsynced",
      messages(5000, 300, () => ({ key: null })),
      { acks: 1, idempotent: false }
    )
    yield* add("stamped", 1, { "message.timestamp.type": "LogAppendTime" })
    yield* send(
      leader,
      "stamped",
      messages(6000, 150, () => ({ timestamp: 1000 })),
      { compression: "lz4" }
    )
  })

/** Compaction: values, tombstones, a segment that is sealed by its age, a round, and records behind it that no round has read. */
const fillCompacted = (leader: string, admin: AdminService, data: string) =>
  Effect.gen(function* () {
    const clean = { "cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "9000000000000" }
    const { topicId } = yield* adding(admin)("latest", 1, clean)
    const isDeleted = (number: number) => number % 60 < 10 && number >= 7840
    const entries = messages(7000, 900, (number) => ({ key: `key-${number % 60}`, ...(isDeleted(number) ? { value: null } : {}) }))
    yield* send(leader, "latest", entries, { compression: "zstd" })
    yield* admin.configureTopic("latest", { set: { "segment.ms": "1" } })
    yield* Effect.sleep("20 millis")
    yield* send(
      leader,
      "latest",
      messages(8000, 1, () => ({ key: "end" }))
    )
    yield* Effect.promise(() => compacted(data, topicId))
    yield* admin.configureTopic("latest", { set: { "min.cleanable.dirty.ratio": "1", "segment.ms": kept["segment.ms"] } })
    yield* send(
      leader,
      "latest",
      messages(8001, 30, (number) => ({ key: `key-${number % 60}` }))
    )
  })

/** Topics and nodes that are changed while they run: settings, partitions, removals. */
const fillChanged = (leader: string, admin: AdminService) =>
  Effect.gen(function* () {
    const add = adding(admin)
    yield* add("trimmed", 2)
    yield* send(leader, "trimmed", messages(9000, 400))
    yield* add("changed", 1, { "max.message.bytes": "500000", "compression.type": "gzip" })
    yield* send(leader, "changed", messages(9500, 40))
    yield* admin.configureTopic("changed", { set: { "max.message.bytes": "600000", "flush.messages": "50" }, unset: ["compression.type"] })
    yield* admin.addPartitions("changed", 2)
    yield* send(leader, "changed", messages(9600, 40), { compression: "snappy" })
    yield* add("repeated", 1)

    yield* add("removed", 2)
    yield* send(leader, "removed", messages(100, 50))
    yield* admin.removeTopic("removed")
    yield* add("remade", 1)
    yield* send(leader, "remade", messages(200, 50))
    yield* admin.removeTopic("remade")
    yield* add("remade", 1)
    yield* send(leader, "remade", messages(300, 20))

    yield* admin.configureNode("all", { set: { "message.max.bytes": "900000", "log.retention.ms": "-1", "log.cleaner.delete.retention.ms": "9000000000000" } })
    yield* admin.configureNode(0, { set: { "log.segment.bytes": "2000000", "log.index.interval.bytes": "2048" } })
    yield* admin.configureNode(0, { unset: ["log.index.interval.bytes"] })
  })

const fillTopics = (leader: string, data: string) =>
  Effect.gen(function* () {
    const admin = yield* Admin.make({ leader })
    yield* fillPlain(leader, admin)
    yield* fillCompacted(leader, admin, data)
    yield* fillChanged(leader, admin)
  })

const fillGroups = (leader: string) =>
  Effect.gen(function* () {
    const admin = yield* Admin.make({ leader })
    yield* Effect.promise(() =>
      raw(leader, async (connection) => {
        await commit(connection, "empty", "orders", [
          [11, "read by hand"],
          [22, ""],
          [33, "naïve – 日本"]
        ])
        await commit(connection, "forgetful", "orders", [
          [5, "stays"],
          [6, "goes"]
        ])
        const { errorCode, topics } = await connection.call(OffsetDelete, 0, {
          groupId: "forgetful",
          topics: [{ name: "orders", partitions: [{ partitionIndex: 1 }] }]
        })
        mustBeZero("offset delete", [errorCode, ...topics.flatMap(({ partitions }) => partitions.map((each) => each.errorCode))])
        await commit(connection, "deleted", "orders", [[1, ""]])
      })
    )
    yield* admin.deleteGroup("deleted")
    yield* readAsMember(leader, "active", "orders", "reader-1", 200)
  })

const trim = (address: string, topic: string, offsets: ReadonlyArray<number>) =>
  raw(address, async (connection) => {
    const { topics } = await connection.call(DeleteRecords, 1, {
      topics: [{ name: topic, partitions: offsets.map((offset, partitionIndex) => ({ partitionIndex, offset: BigInt(offset) })) }],
      timeoutMs: 30_000
    })
    mustBeZero(
      "delete records",
      topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode))
    )
  })

/** Runs in a scope that is never closed: members stay in their groups, and the process of this script ends after the nodes. */
const staying = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> => Effect.runPromise(Scope.extend(effect, Effect.runSync(Scope.make())))

/** The contents of the single node. */
export const fillNode = async (leader: string, data: string): Promise<RepeatedProduce> => {
  await Effect.runPromise(Effect.scoped(fillTopics(leader, data)))
  await trim(leader, "trimmed", [120, -1])
  const repeated = await produceOnce(leader, "repeated")
  await staying(fillGroups(leader))
  return repeated
}

/** The contents of the leader and its two brokers. */
export const fillCluster = async (leader: string): Promise<void> => {
  const topics = Effect.gen(function* () {
    const admin = yield* Admin.make({ leader })
    for (const [topic, partitions] of [
      ["spread", 6],
      ["single", 1]
    ] as const)
      yield* admin.addTopic(topic, { partitions, configs: kept })
    for (const [at, compression] of codecs.entries()) yield* send(leader, "spread", messages(at * 200, 200), { compression })
    yield* send(leader, "single", messages(3000, 100), { acks: 1, idempotent: false })
    yield* admin.addTopic("removed", { partitions: 2, configs: kept })
    yield* send(leader, "removed", messages(100, 50))
    yield* admin.removeTopic("removed")
    yield* admin.configureTopic("single", { set: { "max.message.bytes": "700000" } })
    yield* admin.configureNode(2, { set: { "log.segment.bytes": "3000000" } })
  })
  await Effect.runPromise(Effect.scoped(topics))
  await staying(readAsMember(leader, "active", "spread", "reader-1", 150))
}
