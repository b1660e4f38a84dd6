import { Effect, Either, Option } from "effect"
import { type Message, type MessageOptions, Producer, type ProducerService } from "../../client/producer/producer.ts"
import { clientFailure, mapClientErrors } from "../client/failure.ts"
import { connection, firstContact, jsonOption, leaderOption, untilStopped } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { CliFailure } from "../shell/failure.ts"
import { stdinChunks } from "../shell/input.ts"
import { LineSplitter } from "../shell/line-splitter.ts"
import { printError, printJson } from "../shell/screen.ts"
import { argument, choice, optionalInteger, optionalText } from "../shell/spec.ts"
import { Tally } from "./tally.ts"

/** Bytes of one line. The topic's max.message.bytes may be less. */
const messageBytesMax = 64 * 1024 * 1024
interface Sending {
  readonly topic: string
  readonly producer: ProducerService
  readonly separator: Buffer | undefined
  readonly message: MessageOptions
  readonly tally: Tally
}

const utf8 = new TextEncoder()
const refused = (message: string) => new CliFailure({ exit: "refused", message })
const viewed = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Returns the message of a line, or why the line is not one. */
const messageOf = ({ message, separator }: Sending, line: Uint8Array): Message | string => {
  if (separator === undefined) return { ...message, value: line }
  const at = viewed(line).indexOf(separator)
  return at < 0 ? `no key separator '${separator}' in it.` : { ...message, key: line.subarray(0, at), value: line.subarray(at + separator.length) }
}

/**
 * Sends lines in their order, with the results in the tally. Returns when the last is buffered: it waits while the
 * cluster is slower than the input.
 */
const sendLines = (sending: Sending, lines: ReadonlyArray<Uint8Array>): Effect.Effect<void> => {
  const { producer, tally, topic } = sending
  const before = tally.linesRead
  const messages: Array<Message> = []
  for (const line of lines) {
    const number = tally.read()
    const message = messageOf(sending, line)
    if (typeof message === "string") {
      tally.refused(number, refused(message))
      break
    }
    messages.push(message)
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

export const produceCommand = command({
  path: "produce",
  summary: "send the lines of standard input to a topic, one message a line",
  about: ["Prints to standard error how many messages each partition stored. Stops at the first line that is refused, and prints its number."],
  example: ["seq 1000 | franz produce numbers", "echo 'customer-7:{\"cents\":4200}' | franz produce orders --key-separator : --acks all"],
  options: {
    ...leaderOption,
    keySeparator: optionalText({
      name: "key-separator",
      alias: "K",
      placeholder: "TEXT",
      help: "The separator of key and value. Without it messages have no key."
    }),
    partition: optionalInteger({
      name: "partition",
      alias: "p",
      help: "The partition of all messages. Default: by the hash of the key; without a key one partition per batch."
    }),
    compression: choice({ name: "compression", of: ["none", "gzip", "snappy", "lz4", "zstd"], or: "none", help: "Compression codec of the batches (none)." }),
    acks: choice({ name: "acks", of: ["all", "1", "0"], or: "all", help: "Acknowledgements to wait for: all in-sync replicas, the leader, none (all)." }),
    ...jsonOption
  },
  argument: argument("TOPIC", "The topic. An unknown one is created if auto.create.topics.enable allows it."),
  run: (words, topic) =>
    Effect.gen(function* () {
      const options = connection(words, "produce")
      const tally = new Tally(topic)
      const separator = Option.match(words.keySeparator, { onNone: () => undefined, onSome: (text) => Buffer.from(utf8.encode(text)) })
      if (separator?.length === 0) return yield* new CliFailure({ exit: "usage", message: "--key-separator: expected at least one character." })
      const message = Option.match(words.partition, { onNone: () => ({}), onSome: (partition) => ({ partition }) })
      const sending = Effect.gen(function* () {
        yield* firstContact(options)
        const producer = yield* mapClientErrors(
          Producer.make({ ...options, acks: acksOf[words.acks], compression: words.compression, messageBytesMax, batchBytesMax: 512 * 1024 })
        )
        yield* sendAll({ topic, producer, separator, message, tally }, openInput())
      })
      const tell = Effect.sync(() => (words.json ? printJson(tally.summary()) : printError(tally.sentence())))
      yield* untilStopped(Effect.scoped(sending)).pipe(Effect.onInterrupt(() => tell))
      yield* tell
      const failure = tally.failure()
      if (failure !== undefined) return yield* failure
    })
})
