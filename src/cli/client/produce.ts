import { Effect, FiberSet, Option, type Scope } from "effect"
import type { SendError, Sent } from "../../client/producer/types.ts"
import { type MessageOptions, Producer, type ProducerService } from "../../client/producer/producer.ts"
import { command } from "../shell/command.ts"
import { CliFailure } from "../shell/failure.ts"
import { printError, printJson } from "../shell/screen.ts"
import { argument, choice, optionalInteger, optionalText } from "../shell/spec.ts"
import { clientFailure, orSay } from "./failure.ts"
import { LineSplitter } from "./line-splitter.ts"
import { connection, firstContact, jsonOption, leaderOption, untilStopped } from "./options.ts"
import { Tally } from "./tally.ts"

/** A message may have so many bytes here; whether the topic takes it is the cluster's to say. */
const messageBytesMax = 64 * 1024 * 1024
/** Chunks of the input (some hundred lines each) whose answers are awaited at a time: enough to keep every broker busy. */
const chunksMax = 16

interface Sending {
  readonly topic: string
  readonly producer: ProducerService
  readonly separator: Buffer | undefined
  readonly message: MessageOptions
  readonly tally: Tally
}

const utf8 = new TextEncoder()
const viewed = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Sends one line; what becomes of it goes into the tally. */
const sendLine = ({ message, producer, separator, tally, topic }: Sending, line: Uint8Array): Effect.Effect<void> => {
  const number = tally.read()
  const noted = (sent: Effect.Effect<Sent, SendError>) =>
    Effect.match(sent, { onSuccess: (place) => tally.stored(place), onFailure: (fault) => tally.refused(number, clientFailure(fault)) })
  if (separator === undefined) return noted(producer.sendMessage(topic, line, message))
  const at = viewed(line).indexOf(separator)
  if (at < 0)
    return Effect.sync(() =>
      tally.refused(number, new CliFailure({ exit: "refused", message: `it has no '${separator}', which should stand behind its key.` }))
    )
  return noted(producer.sendMessage(topic, line.subarray(at + separator.length), { ...message, key: line.subarray(0, at) }))
}

/** Sends what comes in until it ends or a line is refused; then waits for every answer. */
const sendAll = (sending: Sending, input: AsyncIterator<Uint8Array>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const splitter = new LineSplitter(messageBytesMax)
    const underWay = yield* FiberSet.make<void>()
    const room = yield* Effect.makeSemaphore(chunksMax)
    const { tally } = sending
    const send = (lines: ReadonlyArray<Uint8Array>) =>
      Effect.zipRight(
        room.take(1),
        FiberSet.run(
          underWay,
          Effect.ensuring(
            Effect.forEach(lines, (line) => sendLine(sending, line), { concurrency: "unbounded", discard: true }),
            room.release(1)
          )
        )
      )
    for (;;) {
      const next = yield* Effect.promise(() => input.next())
      if (next.done === true || tally.isRefused) break
      const lines = splitter.push(next.value)
      if (lines === "too long") {
        tally.refused(tally.read(), new CliFailure({ exit: "refused", message: `it is longer than ${messageBytesMax} bytes.` }))
        break
      }
      if (lines.length > 0) yield* send(lines)
    }
    const last = tally.isRefused ? undefined : splitter.rest()
    if (last !== undefined) yield* send([last])
    yield* room.take(chunksMax)
  })

const inputOf = (): AsyncIterator<Uint8Array> => {
  if (process.stdin.isTTY) printError("A message a line; Ctrl-D ends.")
  return process.stdin[Symbol.asyncIterator]()
}

const acksOf = { all: "all", "1": 1, "0": 0 } as const

export const produceCommand = command({
  path: "produce",
  summary: "sends the lines of stdin to a topic, a message each",
  about: ["Tells on stderr how many messages went where. Stops at the first line that is refused and names it."],
  example: ["seq 1000 | franz produce numbers", "echo 'customer-7:{\"cents\":4200}' | franz produce orders --key-separator : --acks all"],
  options: {
    ...leaderOption,
    keySeparator: optionalText({
      name: "key-separator",
      alias: "K",
      placeholder: "TEXT",
      help: "What stands between key and value; without it messages have no key."
    }),
    partition: optionalInteger({ name: "partition", alias: "p", help: "The partition for all of them; without it the key decides, or it goes around." }),
    compression: choice({ name: "compression", of: ["none", "gzip", "snappy", "lz4", "zstd"], or: "none", help: "How batches are compressed (none)." }),
    acks: choice({ name: "acks", of: ["all", "1", "0"], or: "all", help: "Whose word makes a message sent: all replicas in sync, the leader, nobody (all)." }),
    ...jsonOption
  },
  argument: argument("TOPIC", "The topic. One that is not there is made, unless the cluster forbids it."),
  run: (words, topic) =>
    untilStopped(
      Effect.scoped(
        Effect.gen(function* () {
          const options = connection(words, "produce")
          yield* firstContact(options)
          const separator = Option.getOrUndefined(words.keySeparator)
          const tally = new Tally(topic)
          const producer = yield* orSay(
            Producer.make({ ...options, acks: acksOf[words.acks], compression: words.compression, messageBytesMax, batchBytesMax: 512 * 1024 })
          )
          const message = Option.match(words.partition, { onNone: () => ({}), onSome: (partition) => ({ partition }) })
          yield* sendAll({ topic, producer, separator: separator ? Buffer.from(utf8.encode(separator)) : undefined, message, tally }, inputOf())
          if (words.json) printJson(tally.summary())
          else printError(tally.sentence())
          const failure = tally.failure()
          if (failure !== undefined) return yield* failure
        })
      )
    )
})
