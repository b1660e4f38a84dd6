import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Deferred, Effect, Either, Logger, LogLevel } from "effect"
import { soleListenerAt } from "../../../domain/kernel/config/listener.ts"
import { defaultNodeConfig } from "../../../domain/kernel/config.ts"
import { readableBatches, verify } from "../../../domain/log/batch.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { decodeRecords } from "../../../domain/log/record.ts"
import { startUp } from "../../../src/programs/node/nodes.ts"
import { platform } from "../../../src/programs/platform.ts"
import { Produce } from "../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import { OffsetCommit } from "../../../src/protocol/message/08-offset-commit.ts"
import { OffsetFetch } from "../../../src/protocol/message/09-offset-fetch.ts"
import { CreateTopics } from "../../../src/protocol/message/19-create-topics.ts"
import { connect, type Link } from "../../../src/wire/link.ts"
import { batch } from "../broker/support.ts"

const topic = "orders"
const values = ["a", "b", "c", "d", "e", "f"]
const partitions = 2

const config = {
  ...defaultNodeConfig,
  "group.initial.rebalance.delay.ms": 0,
  "metadata.snapshot.interval.events": 8,
  "offsets.topic.num.partitions": 1
}

export const up = (directory: string) => startUp({ config, listeners: soleListenerAt({ host: "127.0.0.1", port: 0 }), data: [directory], brokers: 1 })

export const linkTo = (address: string) => {
  const [host = "", port = ""] = address.split(":")
  return Effect.provide(
    connect(
      { host, port: Number(port) },
      { clientId: "test", connectTimeoutMs: 20_000, requestTimeoutMs: 60_000, inFlightRequestsMax: 10, responseBytesMax: 10_000_000 }
    ),
    platform
  )
}

const createTopic = (link: Link, name: string) =>
  link.call(CreateTopics, { topics: [{ name, numPartitions: partitions, replicationFactor: 1, assignments: [], configs: [] }], timeoutMs: 60_000 })

/** Repeats a call while its answer says that the partition is not open yet. */
const opened = <A extends { readonly errorCode: number } | undefined, E>(call: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.flatMap(call, (answer) => (isOpening(answer) ? Effect.zipRight(Effect.sleep("5 millis"), opened(call)) : Effect.succeed(answer)))
const isOpening = (answer: { readonly errorCode: number } | undefined): boolean =>
  answer?.errorCode === 6 || answer?.errorCode === 3 || answer?.errorCode === 15

const send = (link: Link, index: number, value: string) =>
  opened(
    link
      .call(Produce, { acks: -1, timeoutMs: 60_000, topicData: [{ name: topic, partitionData: [{ index, records: batch([value]) }] }] }, { version: 12 })
      .pipe(Effect.map(({ responses }) => responses[0]?.partitionResponses[0]))
  )

const read = (link: Link, partition: number) =>
  opened(
    link
      .call(
        Fetch,
        { maxWaitMs: 0, minBytes: 1, topics: [{ topic, partitions: [{ partition, fetchOffset: 0n, partitionMaxBytes: 1_000_000 }] }] },
        { version: 12 }
      )
      .pipe(Effect.map(({ responses }) => responses[0]?.partitions[0]))
  )

/** A data directory of a node that was stopped: eight topics and a group in the journals, each past a snapshot, and records in two partitions. */
export const makeOriginal = async (): Promise<string> => {
  const directory = mkdtempSync(join(tmpdir(), "franz-damage-"))
  await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const link = yield* linkTo((yield* up(directory)).nodes[0]?.address ?? "")
        for (const name of [topic, ..."1234567".split("").map((n) => `t${n}`)]) yield* createTopic(link, name)
        for (const value of values) for (let index = 0; index < partitions; index++) yield* send(link, index, value)
        for (let n = 1; n <= 12; n++)
          yield* link.call(
            OffsetCommit,
            { groupId: "g", memberId: "", topics: [{ name: topic, partitions: [{ partitionIndex: 0, committedOffset: BigInt(n), committedMetadata: null }] }] },
            { version: 8 }
          )
      })
    ).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  )
  return directory
}

export const filesOf = (directory: string): ReadonlyArray<string> =>
  readdirSync(directory, { recursive: true })
    .map(String)
    .filter((name) => statSync(join(directory, name)).isFile())
    .sort()

interface Outcome {
  /** Undefined for a node that served. */
  readonly exit: string | undefined
  readonly message: string
  /** Values of each partition, or why it gave none. */
  readonly found: ReadonlyArray<ReadonlyArray<string> | string>
  readonly committed: bigint | undefined
  readonly log: ReadonlyArray<string>
  readonly isStuck: boolean
}

const valuesOf = (answer: { readonly errorCode: number; readonly records: Uint8Array | null } | undefined): ReadonlyArray<string> | string => {
  if (answer === undefined || answer.errorCode !== 0) return `error ${answer?.errorCode}`
  const batches = readableBatches(answer.records ?? new Uint8Array(0))
  if (Either.isLeft(batches)) return `damaged: ${batches.left.message}`
  const found: Array<string> = []
  for (const one of batches.right) {
    const wrong = verify(one, crc32c)
    if (wrong !== undefined) return `damaged: ${wrong.message}`
    const records = decodeRecords(one, one.records)
    if (Either.isLeft(records)) return `damaged: ${records.left.message}`
    found.push(...records.right.map(({ value }) => new TextDecoder().decode(value ?? new Uint8Array(0))))
  }
  return found
}

const using = (address: string) =>
  Effect.gen(function* () {
    const link = yield* linkTo(address)
    const found: Array<ReadonlyArray<string> | string> = []
    for (let partition = 0; partition < partitions; partition++) found.push(valuesOf(yield* read(link, partition)))
    const { groups } = yield* link.call(
      OffsetFetch,
      { groups: [{ groupId: "g", topics: [{ name: topic, partitionIndexes: [0] }] }], requireStable: false },
      { version: 8 }
    )
    const created = yield* createTopic(link, "afterwards")
    return { found, committed: groups[0]?.topics[0]?.partitions[0]?.committedOffset, created: created.topics[0]?.errorCode }
  })

/** Starts a node over the directory, reads all that was acknowledged, and stops it. A node that neither serves nor ends within `deadlineMs` is stuck. */
export const outcomeOf = async (directory: string, deadlineMs = 120_000): Promise<Outcome> => {
  const log: Array<string> = []
  const logger = Logger.make(({ message }) => void log.push(String(message)))
  const attempt = Effect.gen(function* () {
    const running = yield* up(directory)
    return yield* Effect.raceFirst(using(running.nodes[0]?.address ?? ""), running.stopped)
  })
  const ended = await Effect.runPromise(
    Effect.gen(function* () {
      const result = yield* Deferred.make<Effect.Effect.Success<typeof attempt>, unknown>()
      yield* Effect.forkScoped(Effect.intoDeferred(attempt, result))
      return yield* Effect.either(Effect.timeout(Deferred.await(result), deadlineMs))
    }).pipe(Effect.scoped, Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  )
  const none = { exit: undefined, message: "", found: [], committed: undefined, log, isStuck: false }
  if (Either.isRight(ended)) return { ...none, ...ended.right }
  const { _tag = "", exit, message = "" } = ended.left as { readonly _tag?: string; readonly exit?: string; readonly message?: string }
  return { ...none, exit: exit ?? _tag, message, isStuck: _tag === "TimeoutException" }
}

const whole = (found: Outcome["found"][number]): boolean => typeof found !== "string" && found.join() === values.join()

/**
 * What is wrong with how a node took damage; undefined when it serves all that was acknowledged, or says what is damaged: by its exit code 65 with a path and what to do, or,
 * for the log of one partition, by an error to those who read it.
 */
export const objection = (directory: string, file: string, outcome: Outcome): string | undefined => {
  const { committed, exit, found, isStuck, log, message } = outcome
  if (isStuck) return "neither serves nor ends"
  if (exit !== undefined) {
    if (exit !== "data") return `exit ${exit}: ${message}`
    if (!message.includes(directory)) return `names no path: ${message}`
    return /restore|Use another|move the directory|put .* back/i.test(message) ? undefined : `says not what to do: ${message}`
  }
  if (committed !== 12n) return `the group's offset is ${committed}`
  if (found.every(whole)) return undefined
  const isRecords = /^broker-0\/.{22}-\d+\//.test(file)
  if (!isRecords) return `records: ${JSON.stringify(found)}`
  // The log of one partition: the others serve, and it says so to its readers, by an error or by a checksum that does not fit, or in the log.
  const isSaid = (one: Outcome["found"][number]): boolean =>
    whole(one) || (typeof one === "string" && (one.startsWith("damaged") || log.some((line) => line.includes(directory))))
  return found.filter((one) => !whole(one)).length === 1 && found.every(isSaid) ? undefined : `records: ${JSON.stringify(found)}; log: ${log.join(" | ")}`
}

export class Damaged {
  readonly directory: string
  constructor(original: string) {
    this.directory = mkdtempSync(join(tmpdir(), "franz-damaged-"))
    cpSync(original, this.directory, { recursive: true })
  }
  change(file: string, use: (bytes: Buffer) => Buffer): void {
    const path = join(this.directory, file)
    writeFileSync(path, use(readFileSync(path)))
  }
  remove(file: string): void {
    rmSync(join(this.directory, file), { recursive: true })
  }
  end(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}
