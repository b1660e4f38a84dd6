import { Effect, Either, Option } from "effect"
import { Admin, type AdminService } from "../../client/admin/admin.ts"
import type { TopicDescription } from "../../client/admin/cluster.ts"
import { Consumer } from "../../client/consumer/consumer.ts"
import type { ConsumedRecord } from "../../client/consumer/fetch/record.ts"
import type { ConsumerService } from "../../client/consumer/service.ts"
import type { ConnectionOptions } from "../../client/options.ts"
import { type Message, Producer, type ProducerService } from "../../client/producer/producer.ts"
import { clientFailure, mapClientErrors } from "../client/failure.ts"
import { connection, firstContact, jsonOption, leaderOption, untilStopped } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { CliFailure } from "../shell/failure.ts"
import { printError, printJson } from "../shell/screen.ts"
import { type ArgSpec, flag, optionalText } from "../shell/spec.ts"
import { Tally } from "./tally.ts"

/** Messages of one poll. */
const pollRecordsMax = 10_000
/** The timeout of one poll, ms. */
const pollTimeoutMs = 250
/** Bytes of one message. The target's max.message.bytes may be less. */
const messageBytesMax = 64 * 1024 * 1024

type Connection = ConnectionOptions & { readonly leader: string }
interface Copying {
  readonly source: string
  readonly target: string
  readonly from: Connection
  readonly to: Connection
  readonly create: boolean
  readonly tally: Tally
}

/** Creates the target with the partitions and the own settings of the source, unless it exists. Returns its partitions. */
const createTarget = (admin: AdminService, { create, target }: Copying, { configs, partitions }: TopicDescription) =>
  Effect.gen(function* () {
    if (create) {
      const own = configs.flatMap(({ isOwn, name, value }): ReadonlyArray<readonly [string, string]> => (isOwn && value !== null ? [[name, value]] : []))
      const added = admin.addTopic(target, { partitions: partitions.length, configs: Object.fromEntries(own) })
      yield* Effect.catchTag(added, "TopicExists", () => Effect.void)
    }
    return (yield* admin.describeTopic(target)).partitions.length
  })

/** A message keeps its partition where the target has as many. Its key chooses another otherwise. */
const messageOf = ({ headers, key, partition, timestamp, value }: ConsumedRecord, samePartitions: boolean): Message => ({
  key,
  value,
  headers,
  ...(samePartitions ? { partition } : {}),
  ...(timestamp < 0 ? {} : { timestamp })
})

interface Streams {
  readonly consumer: ConsumerService
  readonly producer: ProducerService
  /** The end of each partition of the source at the start of the command. */
  readonly ends: ReadonlyMap<number, number>
  readonly samePartitions: boolean
}

/** Copies until each partition is read to its end, or a message is refused. */
const copyAll = ({ tally, target }: Copying, { consumer, ends, producer, samePartitions }: Streams) =>
  Effect.gen(function* () {
    for (;;) {
      const polled = yield* consumer.poll({ maxRecords: pollRecordsMax, timeoutMs: pollTimeoutMs })
      const records = polled.filter(({ offset, partition }) => offset < (ends.get(partition) ?? 0))
      if (records.length > 0) {
        const before = tally.linesRead
        for (const _ of records) tally.read()
        yield* producer.sendMessages(
          target,
          records.map((record) => messageOf(record, samePartitions)),
          (index, outcome) =>
            Either.match(outcome, { onLeft: (fault) => tally.refused(before + index + 1, clientFailure(fault)), onRight: (place) => tally.stored(place) })
        )
      }
      const places = yield* consumer.positions
      if (tally.isRefused || places.every(({ offset, partition }) => offset >= (ends.get(partition) ?? 0))) break
    }
    yield* producer.flush
  })

const copy = (copying: Copying) =>
  Effect.gen(function* () {
    const { from, source, to } = copying
    yield* firstContact(from)
    if (to.leader !== from.leader) yield* firstContact(to)
    const described = yield* Effect.flatMap(Admin.make(from), (admin) => admin.describeTopic(source))
    const partitions = yield* Effect.flatMap(Admin.make(to), (admin) => createTarget(admin, copying, described))
    const samePartitions = partitions === described.partitions.length
    const consumer = yield* Consumer.make({ ...from, pollRecordsMax, isolation: "read_committed" })
    const places = described.partitions.map(({ partition }) => ({ topic: source, partition }))
    // Messages of transactions that are open at the start are not in the copy.
    const ends = new Map((yield* consumer.offsets(places.map((place) => ({ ...place, at: "latest" as const })))).map((one) => [one.partition, one.offset]))
    yield* consumer.assign(places.map((place) => ({ ...place, at: "earliest" as const })))
    const producer = yield* Producer.make({ ...to, messageBytesMax, batchBytesMax: 512 * 1024 })
    yield* copyAll(copying, { consumer, producer, ends, samePartitions })
  })

const topics: ArgSpec<{ readonly source: string; readonly target: string }> = {
  name: "SOURCE or TARGET",
  placeholder: "SOURCE TARGET",
  help: "The topic to read, and the topic to which its messages are sent.",
  countMin: 2,
  countMax: 2,
  read: ([source = "", target = ""]) => ({ source, target })
}

export const topicCopy = command({
  path: "topic copy",
  summary: "copy the messages of a topic to another, also of another cluster",
  about: [
    "Keys, values, headers and timestamps are the same in the copy. Partitions are, too, where both topics have as many; otherwise the key chooses the partition.",
    "The command copies the messages that are in the topic when it starts, without those of open and aborted transactions. A second run copies them again."
  ],
  example: ["franz topic copy orders orders-backup --create", "franz topic copy orders orders --to-leader other-cluster:9092 --create"],
  options: {
    ...leaderOption,
    toLeader: optionalText({
      name: "to-leader",
      placeholder: "HOST:PORT",
      help: "The cluster of the target (that of the source), with the same options of TLS and SASL."
    }),
    create: flag({ name: "create", help: "Create the target, with the partitions and settings of the source, unless it exists." }),
    ...jsonOption
  },
  argument: topics,
  run: (words, { source, target }) =>
    Effect.gen(function* () {
      const from = yield* connection(words, "copy")
      const to = Option.isSome(words.toLeader) ? yield* connection({ ...words, leader: words.toLeader }, "copy") : from
      if (source === target && from.leader === to.leader)
        return yield* new CliFailure({
          exit: "usage",
          message: `'${source}' cannot be copied to itself: name another topic, or another cluster with --to-leader.`
        })
      const tally = new Tally(target, "message")
      const tell = Effect.sync(() => {
        const { lines: read, partitions, refused, stored } = tally.summary()
        return words.json ? printJson({ source, target, read, stored, refused, partitions }) : printError(tally.sentence())
      })
      const copied = Effect.scoped(mapClientErrors(copy({ source, target, from, to, create: words.create, tally })))
      yield* untilStopped(copied).pipe(Effect.onInterrupt(() => tell))
      yield* tell
      const failure = tally.failure()
      if (failure !== undefined) return yield* failure
    })
})
