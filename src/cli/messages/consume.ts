import { Clock, Data, Effect, Either, Option } from "effect"
import { Admin, type AdminService } from "../../client/admin/admin.ts"
import type { StartAt } from "../../client/cluster/start-offsets.ts"
import { Consumer } from "../../client/consumer/consumer.ts"
import type { ConsumedRecord } from "../../client/consumer/fetch/record.ts"
import type { ConsumerService } from "../../client/consumer/service.ts"
import { UnknownPartition } from "../../client/error.ts"
import { clientFailure } from "../client/failure.ts"
import { connection, firstContact, leaderOption, sayingWait } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { CliFailure } from "../shell/failure.ts"
import type { Specs, Values } from "../shell/parse.ts"
import { printError, untilOutputEnds, write, writeRaw } from "../shell/screen.ts"
import { stopSignal } from "../shell/signal.ts"
import { argument, choice, flag, optionalInteger, optionalText, repeatedText } from "../shell/spec.ts"
import { formatOf } from "./format.ts"
import { type Range, rangeOf } from "./range.ts"
import { jsonLines, plainLines } from "./record-text.ts"

/** Messages of one poll. */
const pollRecordsMax = 10_000
/** How often the offsets of printed messages are committed, ms. */
const commitIntervalMs = 1000
/** The timeout of one poll, ms. The end of the topic is checked between polls. */
const pollTimeoutMs = 250

/** The offset of the first message of a partition, and the offset at which reading ends. */
interface Bounds {
  readonly first: number
  readonly end: number
}
type Ends = ReadonlyMap<number, Bounds>

/** The options of one run of the command. */
interface Consumption extends Range {
  readonly topic: string
  readonly group: string | undefined
  readonly partition: number | undefined
  readonly isolation: "read_uncommitted" | "read_committed"
  readonly max: number
  readonly exitAtEnd: boolean
  readonly lines: (records: ReadonlyArray<ConsumedRecord>) => Uint8Array
  readonly write: (lines: Uint8Array) => Effect.Effect<void>
}

/** Stopped before all polled messages were printed: they must not count as processed. */
class Unprinted extends Data.TaggedError("Unprinted")<Record<never, never>> {}

const wrong = (message: string) => new CliFailure({ exit: "usage", message })

/** How often the command checks whether the topic has more partitions, ms. */
const newPartitionsMs = 10_000

/** Returns the partitions to read, each with its bounds. */
const endsOf = (admin: AdminService, reading: Consumption) =>
  Effect.gen(function* () {
    const { partitions } = yield* admin.describeTopic(reading.topic)
    const read = reading.partition === undefined ? partitions : partitions.filter(({ partition }) => partition === reading.partition)
    if (read.length === 0) return yield* new UnknownPartition({ topic: reading.topic, partition: reading.partition ?? 0, partitions: partitions.length })
    return new Map(read.map(({ end = 0, first = 0, partition }) => [partition, { first, end }]))
  })

/** Moves the end of each partition to the first message of the time at which reading ends, or later. */
const untilTime = (consumer: ConsumerService, { topic, untilMs }: Consumption, ends: Ends) =>
  Effect.gen(function* () {
    if (untilMs === undefined) return ends
    const found = yield* consumer.offsets([...ends.keys()].map((partition) => ({ topic, partition, at: { timestamp: untilMs } })))
    return new Map(
      found.map(({ offset, partition }) => {
        const { end, first } = ends.get(partition) ?? { first: 0, end: 0 }
        return [partition, { first, end: Math.min(end, offset) }]
      })
    )
  })

/**
 * Where reading begins without a group. "end" is the end of the partition at the start of the command, so that no
 * message before the first fetch is missed.
 */
const startAt = ({ partition, start = "start" }: Consumption, { end, first }: Bounds): StartAt => {
  if (start === "start") return "earliest"
  if (start === "end") return { offset: end }
  if ("timestamp" in start) return start
  if ("last" in start) return { offset: Math.max(first, end - start.last) }
  // An offset of one partition may be after the end of another, which is then read from its end.
  return { offset: partition === undefined ? Math.min(start.offset, end) : start.offset }
}

/** Assigns all partitions without a group; joins the group otherwise. */
const begin = (consumer: ConsumerService, reading: Consumption, ends: Ends) => {
  if (reading.group !== undefined) return Effect.zipRight(consumer.joinConsumerGroup(reading.group), consumer.subscribe(reading.topic))
  const { partition, start, topic } = reading
  if (typeof start === "object" && "offset" in start && partition === undefined && [...ends.values()].every(({ end }) => end < start.offset))
    printError(`'${topic}' ends before offset ${start.offset}: reading begins at the end of each partition.`)
  return consumer.assign([...ends].map(([id, bounds]) => ({ topic, partition: id, at: startAt(reading, bounds) })))
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
    ([isAssigned, places]) => isAssigned && places.every(({ offset, partition }) => offset >= (ends.get(partition)?.end ?? 0))
  )

/** Drops messages behind the time at which reading ends. */
const within = ({ untilMs }: Consumption, ends: Ends, records: ReadonlyArray<ConsumedRecord>): ReadonlyArray<ConsumedRecord> =>
  untilMs === undefined ? records : records.filter(({ offset, partition }) => offset < (ends.get(partition)?.end ?? 0))

/** Prints messages until the command ends. Messages are printed before the next poll counts them as processed. */
const printing = (consumer: ConsumerService, admin: AdminService, reading: Consumption, ends: Ends, stopped: Effect.Effect<"stopped">) =>
  Effect.gen(function* () {
    const followsTopic = reading.group === undefined && reading.partition === undefined && !reading.exitAtEnd
    let lookedAt = yield* Clock.currentTimeMillis
    for (let left = reading.max; left > 0; ) {
      const polled = yield* Effect.raceFirst(consumer.poll({ maxRecords: Math.min(left, pollRecordsMax), timeoutMs: pollTimeoutMs }), stopped)
      if (polled === "stopped") return "stopped" as const
      const records = within(reading, ends, polled)
      if (records.length > 0) {
        const written = yield* Effect.raceFirst(reading.write(reading.lines(records)), stopped)
        if (written === "stopped") return yield* new Unprinted()
        left -= records.length
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

const consume = (reading: Consumption, options: Effect.Effect.Success<ReturnType<typeof connection>>) =>
  Effect.gen(function* () {
    yield* firstContact(options)
    // One fiber waits for the signal, for all that depend on it.
    const stop = yield* Effect.fork(Effect.raceFirst(Effect.as(stopSignal, "signal" as const), Effect.as(untilOutputEnds, "output" as const)))
    const stopped = Effect.as(Effect.exit(stop.await), "stopped" as const)
    const from = reading.start === "start" ? ("earliest" as const) : ("subscribed" as const)
    const how = yield* Effect.scoped(
      Effect.gen(function* () {
        const admin = yield* Admin.make(options)
        const known = yield* endsOf(admin, reading)
        const consumer = yield* Consumer.make({ ...options, from, pollRecordsMax, commitIntervalMs, isolation: reading.isolation })
        const ends = yield* untilTime(consumer, reading, known)
        const assigned = Effect.repeat(Effect.delay(consumer.isAssigned, pollTimeoutMs), { until: (is) => is })
        yield* Effect.forkScoped(
          sayingWait(reading.group === undefined ? "the offsets of the partitions." : `the group '${reading.group}' to assign partitions.`, assigned)
        )
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

const utf8 = new TextEncoder()
const consumeOptions = {
  ...leaderOption,
  from: repeatedText({
    name: "from",
    alias: "o",
    placeholder: "start|end|OFFSET|-N|s@TIME",
    help: "Where to begin (start; with --group: new messages). -N: the last N of each partition. e@TIME: where to end."
  }),
  fromTime: optionalText({
    name: "from-time",
    placeholder: "TIME",
    help: "Begin at the first message of this time or later: ms since 1970, a date, or 15m ago as 15m."
  }),
  toTime: optionalText({ name: "to-time", placeholder: "TIME", help: "Exit before the first message of this time or later." }),
  last: optionalInteger({ name: "last", help: "Begin N messages before the end of each partition." }),
  group: optionalText({ name: "group", alias: "g", placeholder: "GROUP", help: "Consume as a member of this group." }),
  max: optionalInteger({ name: "max", alias: "n", help: "Exit after N messages." }),
  exitAtEnd: flag({ name: "exit-at-end", alias: "e", help: "Exit at the last message of each partition." }),
  partition: optionalInteger({ name: "partition", alias: "p", help: "Read only this partition." }),
  isolation: choice({
    name: "isolation",
    of: ["read_uncommitted", "read_committed"],
    or: "read_uncommitted",
    help: "read_committed leaves out messages of open and aborted transactions (read_uncommitted)."
  }),
  raw: flag({ name: "raw", help: "Do not escape control characters on a terminal: a message may then change its state." }),
  keySeparator: optionalText({ name: "key-separator", alias: "K", placeholder: "TEXT", help: "Print the key, then TEXT, then the value." }),
  format: optionalText({
    name: "format",
    alias: "f",
    placeholder: "FORMAT",
    help: "Print each message by kcat's tokens: %t topic, %p partition, %o offset, %T timestamp, %k key, %s value, %h headers, %K %S lengths."
  }),
  nulls: flag({ name: "null", alias: "Z", help: "Print NULL for a null key or value, as kcat does (nothing)." }),
  json: flag({ name: "json", help: "Print one JSON object per line, with every part of the message: `franz produce --json` reads it." })
} satisfies Specs
type ConsumeWords = Values<typeof consumeOptions>

/** How messages are printed. */
const linesOf = ({ format, json, keySeparator, nulls }: ConsumeWords): Either.Either<Consumption["lines"], string> => {
  if (Option.isSome(format)) {
    if (json || Option.isSome(keySeparator)) return Either.left("--format names every part of a line: omit --json and --key-separator.")
    return Either.mapLeft(formatOf(format.value, nulls ? "NULL" : ""), (why) => `--format ${format.value}: ${why}`)
  }
  if (json) return Either.right(jsonLines)
  const separator = Option.isSome(keySeparator) ? utf8.encode(keySeparator.value) : undefined
  const nullText = nulls ? utf8.encode("NULL") : undefined
  return Either.right((records) => plainLines(records, { separator, nullText }))
}

/** The command's options as one reading, or why they contradict each other. */
const consumptionOf = (words: ConsumeWords, topic: string, nowMs: number): Either.Either<Consumption, string> =>
  Either.gen(function* () {
    const { start, untilMs } = yield* rangeOf(words, nowMs)
    const lines = yield* linesOf(words)
    const group = Option.getOrUndefined(words.group)
    const partition = Option.getOrUndefined(words.partition)
    const max = Option.getOrElse(words.max, () => Number.POSITIVE_INFINITY)
    if (group !== undefined && typeof start === "object" && "offset" in start)
      return yield* Either.left("--from OFFSET reads without a group: omit --group, or use --from start or end.")
    if (group !== undefined && (typeof start === "object" || untilMs !== undefined))
      return yield* Either.left("a group begins at its committed offsets: omit --group, or move them with `franz group reset-offsets`.")
    if (group !== undefined && partition !== undefined)
      return yield* Either.left("--partition reads without a group: a group assigns the partitions of its members.")
    if (!(max >= 1)) return yield* Either.left(`--max ${max}: expected a whole number from 1.`)
    const exitAtEnd = words.exitAtEnd || untilMs !== undefined
    return { topic, group, start, untilMs, partition, isolation: words.isolation, max, exitAtEnd, lines, write: words.raw ? writeRaw : write }
  })

export const consumeCommand = command({
  path: "consume",
  summary: "print the messages of a topic, one a line",
  about: [
    "Values are printed byte for byte; on a terminal, control characters are escaped unless --raw is given. Without --group the command reads all partitions from the start, and continues with new messages.",
    "With --group it is a member of a consumer group: it shares the partitions with the other members, begins at the committed offsets or with new messages, and commits the offsets of printed messages."
  ],
  example: [
    "franz consume orders --exit-at-end",
    "franz consume orders --group billing --json",
    "franz consume orders --from-time 2026-11-29T10:00:00Z --to-time 15m",
    "franz consume orders --last 10 --exit-at-end --format '%p@%o %T %k: %s\\n'"
  ],
  options: consumeOptions,
  argument: argument("TOPIC", "The topic."),
  run: (words, topic) =>
    Effect.gen(function* () {
      const nowMs = yield* Clock.currentTimeMillis
      const reading = yield* Either.mapLeft(consumptionOf(words, topic, nowMs), wrong)
      yield* consume(reading, yield* connection(words, "consume"))
    })
})
