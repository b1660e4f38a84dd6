import { Clock, Data, Effect, Option } from "effect"
import { Admin, type AdminService } from "../../client/admin/admin.ts"
import type { StartAt } from "../../client/cluster/start-offsets.ts"
import { Consumer } from "../../client/consumer/consumer.ts"
import type { ConsumedRecord } from "../../client/consumer/fetch/record.ts"
import type { ConsumerService } from "../../client/consumer/service.ts"
import { UnknownPartition } from "../../client/error.ts"
import { clientFailure } from "../client/failure.ts"
import { connection, firstContact, jsonOption, leaderOption } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { CliFailure } from "../shell/failure.ts"
import { printError, untilOutputEnds, write, writeRaw } from "../shell/screen.ts"
import { stopSignal } from "../shell/signal.ts"
import { argument, flag, optionalInteger, optionalText } from "../shell/spec.ts"
import { jsonLines, plainLines } from "./record-text.ts"

/** Messages of one poll. */
const pollRecordsMax = 10_000
/** How often the offsets of printed messages are committed, ms. */
const commitIntervalMs = 1000
/** The timeout of one poll, ms. The end of the topic is checked between polls. */
const pollTimeoutMs = 250

type Ends = ReadonlyMap<number, number>

/** The options of one run of the command. */
interface Consumption {
  readonly topic: string
  readonly group: string | undefined
  readonly from: "start" | "end" | number | undefined
  readonly partition: number | undefined
  readonly max: number
  readonly exitAtEnd: boolean
  readonly lines: (records: ReadonlyArray<ConsumedRecord>) => Uint8Array
  readonly write: (lines: Uint8Array) => Effect.Effect<void>
}

/** Stopped before all polled messages were printed: they must not count as processed. */
class Unprinted extends Data.TaggedError("Unprinted")<Record<never, never>> {}

const wrong = (message: string) => new CliFailure({ exit: "usage", message })

const fromOf = (text: string): Effect.Effect<"start" | "end" | number, CliFailure> => {
  if (text === "start" || text === "end") return Effect.succeed(text)
  const offset = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(offset) ? Effect.succeed(offset) : Effect.fail(wrong(`--from ${text}: expected start, end or an offset, e.g. --from 42.`))
}

/** How often the command checks whether the topic has more partitions, ms. */
const newPartitionsMs = 10_000

/** Returns the partitions to read, each with its end. */
const endsOf = (admin: AdminService, reading: Consumption) =>
  Effect.gen(function* () {
    const { partitions } = yield* admin.describeTopic(reading.topic)
    const read = reading.partition === undefined ? partitions : partitions.filter(({ partition }) => partition === reading.partition)
    if (read.length === 0) return yield* new UnknownPartition({ topic: reading.topic, partition: reading.partition ?? 0, partitions: partitions.length })
    return new Map(read.map(({ end, partition }) => [partition, end ?? 0]))
  })

/**
 * Where reading begins without a group. "end" is the end of the partition at the start of the command, so that no
 * message before the first fetch is missed.
 */
const startAt = ({ from, partition }: Consumption, end: number): StartAt => {
  if (from === "end") return { offset: end }
  if (typeof from !== "number") return "earliest"
  // An offset of one partition may be after the end of another, which is then read from its end.
  return { offset: partition === undefined ? Math.min(from, end) : from }
}

/** Assigns all partitions without a group; joins the group otherwise. */
const begin = (consumer: ConsumerService, reading: Consumption, ends: Ends) => {
  if (reading.group !== undefined) return Effect.zipRight(consumer.joinConsumerGroup(reading.group), consumer.subscribe(reading.topic))
  const { from, partition, topic } = reading
  if (typeof from === "number" && partition === undefined && [...ends.values()].every((end) => end < from))
    printError(`'${topic}' ends before offset ${from}: reading begins at the end of each partition.`)
  return consumer.assign([...ends].map(([id, end]) => ({ topic, partition: id, at: startAt(reading, end) })))
}

/** Assigns partitions that were added to the topic, from their first message on. In a group the library does that. */
const adoptNew = (consumer: ConsumerService, admin: AdminService, { topic }: Consumption) =>
  Effect.gen(function* () {
    const [places, described] = yield* Effect.all([consumer.positions, Effect.option(admin.describeTopic(topic))])
    if (Option.isNone(described)) return
    const added = described.value.partitions.filter(({ partition }) => !places.some((place) => place.partition === partition))
    if (added.length === 0) return
    const going = places.map(({ offset, partition }) => ({ topic, partition, at: { offset } }))
    yield* consumer.assign([...going, ...added.map(({ partition }) => ({ topic, partition, at: "earliest" as const }))])
  })

/** Whether every partition is read to its end. A member without partitions is at the end at once. */
const isAtEnd = (consumer: ConsumerService, ends: Ends): Effect.Effect<boolean> =>
  Effect.map(
    Effect.all([consumer.isAssigned, consumer.positions]),
    ([isAssigned, places]) => isAssigned && places.every(({ offset, partition }) => offset >= (ends.get(partition) ?? 0))
  )

/** Prints messages until the command ends. Messages are printed before the next poll counts them as processed. */
const printing = (consumer: ConsumerService, admin: AdminService, reading: Consumption, ends: Ends, stopped: Effect.Effect<"stopped">) =>
  Effect.gen(function* () {
    const followsTopic = reading.group === undefined && reading.partition === undefined && !reading.exitAtEnd
    let lookedAt = yield* Clock.currentTimeMillis
    for (let left = reading.max; left > 0; ) {
      const polled = yield* Effect.raceFirst(consumer.poll({ maxRecords: Math.min(left, pollRecordsMax), timeoutMs: pollTimeoutMs }), stopped)
      if (polled === "stopped") return "stopped" as const
      if (polled.length > 0) {
        const written = yield* Effect.raceFirst(reading.write(reading.lines(polled)), stopped)
        if (written === "stopped") return yield* new Unprinted()
        left -= polled.length
      }
      if (reading.exitAtEnd && (yield* isAtEnd(consumer, ends))) return "ended" as const
      const now = yield* Clock.currentTimeMillis
      if (followsTopic && now - lookedAt >= newPartitionsMs) {
        yield* Effect.raceFirst(adoptNew(consumer, admin, reading), stopped)
        lookedAt = now
      }
    }
    return "ended" as const
  })

const consume = (reading: Consumption, options: ReturnType<typeof connection>) =>
  Effect.gen(function* () {
    yield* firstContact(options)
    // One fiber waits for the signal, for all that depend on it.
    const stop = yield* Effect.fork(Effect.raceFirst(Effect.as(stopSignal, "signal" as const), Effect.as(untilOutputEnds, "output" as const)))
    const stopped = Effect.as(Effect.exit(stop.await), "stopped" as const)
    const from = reading.from === "start" ? ("earliest" as const) : ("subscribed" as const)
    const how = yield* Effect.scoped(
      Effect.gen(function* () {
        const admin = yield* Admin.make(options)
        const ends = yield* endsOf(admin, reading)
        const consumer = yield* Consumer.make({ ...options, from, pollRecordsMax, commitIntervalMs })
        yield* begin(consumer, reading, ends)
        return yield* printing(consumer, admin, reading, ends, stopped)
      })
    ).pipe(
      Effect.mapError((fault) => (fault._tag === "Unprinted" ? fault : clientFailure(fault))),
      Effect.catchTag("Unprinted", () => Effect.succeed("stopped" as const))
    )
    // A failed output sets the exit code at the end of the process. A reader that has closed the pipe is not an error.
    if (how === "stopped" && (yield* Effect.flatten(stop.await)) === "signal") return yield* Effect.interrupt
  })

export const consumeCommand = command({
  path: "consume",
  summary: "print the messages of a topic, one a line",
  about: [
    "Values are printed byte for byte; on a terminal, control characters are escaped unless --raw is given. Without --group the command reads all partitions from the start, and continues with new messages.",
    "With --group it is a member of a consumer group: it shares the partitions with the other members, begins at the committed offsets or with new messages, and commits the offsets of printed messages."
  ],
  example: ["franz consume orders --exit-at-end", "franz consume orders --group billing --json"],
  options: {
    ...leaderOption,
    from: optionalText({ name: "from", placeholder: "start|end|OFFSET", help: "Where to begin (start; with --group: new messages)." }),
    group: optionalText({ name: "group", alias: "g", placeholder: "GROUP", help: "Consume as a member of this group." }),
    max: optionalInteger({ name: "max", alias: "n", help: "Exit after N messages." }),
    exitAtEnd: flag({ name: "exit-at-end", alias: "e", help: "Exit at the last message of each partition." }),
    partition: optionalInteger({ name: "partition", alias: "p", help: "Read only this partition." }),
    raw: flag({ name: "raw", help: "Do not escape control characters on a terminal: a message may then change its state." }),
    keySeparator: optionalText({ name: "key-separator", alias: "K", placeholder: "TEXT", help: "Print the key, then TEXT, then the value." }),
    ...jsonOption
  },
  argument: argument("TOPIC", "The topic."),
  run: (words, topic) =>
    Effect.gen(function* () {
      const from = Option.isSome(words.from) ? yield* fromOf(words.from.value) : undefined
      const group = Option.getOrUndefined(words.group)
      const partition = Option.getOrUndefined(words.partition)
      const max = Option.getOrElse(words.max, () => Number.POSITIVE_INFINITY)
      if (group !== undefined && typeof from === "number") return yield* wrong("--from OFFSET reads without a group: omit --group, or use --from start or end.")
      if (group !== undefined && partition !== undefined)
        return yield* wrong("--partition reads without a group: a group assigns the partitions of its members.")
      if (!(max >= 1)) return yield* wrong(`--max ${max}: expected a whole number from 1.`)
      const separator = Option.isSome(words.keySeparator) ? new TextEncoder().encode(words.keySeparator.value) : undefined
      const lines = words.json ? jsonLines : (records: ReadonlyArray<ConsumedRecord>) => plainLines(records, separator)
      yield* consume(
        { topic, group, from, partition, max, exitAtEnd: words.exitAtEnd, lines, write: words.raw ? writeRaw : write },
        connection(words, "consume")
      )
    })
})
