import { Clock, Effect, Either } from "effect"
import { type Message, Producer, type ProducerService } from "../../client/producer/producer.ts"
import { clientFailure, mapClientErrors } from "../client/failure.ts"
import { connection, firstContact, leaderOption, untilStopped } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { CliFailure } from "../shell/failure.ts"
import { stdinChunks } from "../shell/input.ts"
import { LineSplitter } from "../shell/line-splitter.ts"
import type { Specs } from "../shell/parse.ts"
import { printError, printJson } from "../shell/screen.ts"
import { argument, choice, flag, optionalInteger, optionalText, repeatedText } from "../shell/spec.ts"
import { lineMessages, type MessageOf } from "./line-message.ts"
import { Tally } from "./tally.ts"

/** Bytes of one line. The topic's max.message.bytes may be less. */
const messageBytesMax = 64 * 1024 * 1024
interface Sending {
  readonly topic: string
  readonly producer: ProducerService
  readonly messageOf: MessageOf
  readonly tally: Tally
}

const refused = (message: string) => new CliFailure({ exit: "refused", message })

/**
 * Sends lines in their order, with the results in the tally. Returns when the last is buffered: it waits while the
 * cluster is slower than the input.
 */
const sendLines = (sending: Sending, lines: ReadonlyArray<Uint8Array>): Effect.Effect<void> => {
  const { messageOf, producer, tally, topic } = sending
  const before = tally.linesRead
  const messages: Array<Message> = []
  for (const line of lines) {
    const number = tally.read()
    const message = messageOf(line)
    if (Either.isLeft(message)) {
      tally.refused(number, refused(message.left))
      break
    }
    messages.push(message.right)
  }
  return producer
    .sendMessages(topic, messages, (index, outcome) =>
      Either.match(outcome, { onLeft: (fault) => tally.refused(before + index + 1, clientFailure(fault)), onRight: (place) => tally.stored(place) })
    )
    .pipe(Effect.catchAll((fault) => Effect.sync(() => tally.refused(before + 1, clientFailure(fault)))))
}

/** Sends the input until it ends or a line is refused; then waits for all delivery reports. */
const sendAll = (sending: Sending, input: Effect.Effect<Uint8Array | undefined, CliFailure>): Effect.Effect<void, CliFailure> =>
  Effect.gen(function* () {
    const splitter = new LineSplitter(messageBytesMax)
    const { producer, tally } = sending
    for (;;) {
      const chunk = yield* input
      if (chunk === undefined || tally.isRefused) break
      const lines = splitter.push(chunk)
      if (lines === "too long") {
        tally.refused(tally.read(), refused(`longer than ${messageBytesMax} bytes.`))
        break
      }
      yield* sendLines(sending, lines)
    }
    const last = tally.isRefused ? undefined : splitter.rest()
    if (last !== undefined) yield* sendLines(sending, [last])
    yield* producer.flush
  })

const openInput = () => {
  if (process.stdin.isTTY) printError("One message a line; Ctrl-D ends the input.")
  return stdinChunks("Give a file or a pipe: franz produce TOPIC <FILE")
}

const acksOf = { all: "all", "1": 1, "0": 0 } as const

const produceOptions = {
  ...leaderOption,
  keySeparator: optionalText({
    name: "key-separator",
    alias: "K",
    placeholder: "TEXT",
    help: "The separator of key and value. Without it messages have no key."
  }),
  key: optionalText({ name: "key", alias: "k", placeholder: "TEXT", help: "The key of all messages." }),
  header: repeatedText({
    name: "header",
    alias: "H",
    placeholder: "NAME=VALUE",
    help: "A header of all messages; may be repeated. NAME alone has a null value."
  }),
  timestamp: optionalText({ name: "timestamp", placeholder: "TIME", help: "The timestamp of all messages: ms since 1970, a date, or 15m ago as 15m (now)." }),
  nulls: flag({ name: "null", alias: "Z", help: "Send an empty value or key as null, as kcat does: a null value is a tombstone." }),
  partition: optionalInteger({
    name: "partition",
    alias: "p",
    help: "The partition of all messages. Default: by the hash of the key; without a key one partition per batch."
  }),
  compression: choice({ name: "compression", of: ["none", "gzip", "snappy", "lz4", "zstd"], or: "none", help: "Compression codec of the batches (none)." }),
  acks: choice({ name: "acks", of: ["all", "1", "0"], or: "all", help: "Acknowledgements to wait for: all in-sync replicas, the leader, none (all)." }),
  json: flag({ name: "json", help: "Read one JSON object per line, as `franz consume --json` prints it, and print the counts as JSON." })
} satisfies Specs

export const produceCommand = command({
  path: "produce",
  summary: "send the lines of standard input to a topic, one message a line",
  about: [
    "Prints to standard error how many messages each partition stored. Stops at the first line that is refused, and prints its number.",
    'With --json a line is {"key":"k","value":"v","headers":[{"key":"h","value":"1"}],"partition":0,"timestamp":1764400000000}. Only the value must be there; null is a tombstone, and keyBase64 and valueBase64 are bytes. The topic and the offset of a line are passed over; --partition -1 also passes over its partition.'
  ],
  example: [
    "seq 1000 | franz produce numbers",
    "echo 'customer-7:{\"cents\":4200}' | franz produce orders --key-separator : --header source=shop",
    "franz consume orders --exit-at-end --json | franz produce orders-2 --json --partition -1"
  ],
  options: produceOptions,
  argument: argument("TOPIC", "The topic. An unknown one is created if auto.create.topics.enable allows it."),
  run: (words, topic) =>
    Effect.gen(function* () {
      const options = yield* connection(words, "produce")
      const tally = new Tally(topic)
      const nowMs = yield* Clock.currentTimeMillis
      const messageOf = yield* Either.mapLeft(lineMessages(words, nowMs), (message) => new CliFailure({ exit: "usage", message }))
      const sending = Effect.gen(function* () {
        yield* firstContact(options)
        const producer = yield* mapClientErrors(
          Producer.make({ ...options, acks: acksOf[words.acks], compression: words.compression, messageBytesMax, batchBytesMax: 512 * 1024 })
        )
        yield* sendAll({ topic, producer, messageOf, tally }, openInput())
      })
      const tell = Effect.sync(() => (words.json ? printJson(tally.summary()) : printError(tally.sentence())))
      yield* untilStopped(Effect.scoped(sending)).pipe(Effect.onInterrupt(() => tell))
      yield* tell
      const failure = tally.failure()
      if (failure !== undefined) return yield* failure
    })
})
