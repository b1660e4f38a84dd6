import { Clock, Effect, type Scope } from "effect"
import { metadataTopic, metadataTopicId } from "../../../domain/cluster/topic/name.ts"
import { commandIdTag } from "../../../domain/kernel/command-id.ts"
import { type KafkaError, kafkaError } from "../../../domain/kernel/error-code.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { decodeEntries } from "../../../src/ports/entry-record.ts"
import type { StoredEntry } from "../../../src/ports/journal.ts"
import type { Address, Transport } from "../../../src/ports/transport.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import { CreateTopics } from "../../../src/protocol/message/19-create-topics.ts"
import { DeleteTopics } from "../../../src/protocol/message/20-delete-topics.ts"
import { BrokerRegistration } from "../../../src/protocol/message/62-broker-registration.ts"
import { BrokerHeartbeat } from "../../../src/protocol/message/63-broker-heartbeat.ts"
import { connect, type Link } from "../../../src/wire/link.ts"
import type { Chance } from "../chance.ts"
import type { Outcome, TopicCommand, TopicPartition } from "../history.ts"
import type { Recorder } from "../recorder.ts"
import { readOffset } from "../workload/auditor.ts"
import { linkTo } from "../workload/link.ts"
import type { Reached } from "./reached.ts"
import type { Beat } from "./reigns.ts"

/** What the loads of a run share. */
export interface LoadWork {
  readonly process: string
  readonly recorder: Recorder
  readonly reached: Reached
  readonly chance: Chance
  readonly candidates: ReadonlyArray<Address>
  /** The process that runs at a candidate's address. */
  readonly processAt: (candidate: Address) => string
  readonly number: () => number
  readonly goesOn: () => boolean
}
type Load<A> = Effect.Effect<A, unknown, Transport | Scope.Scope>

/** A broker that registers and beats at every candidate, and follows the journal of the one that leads. */
interface BrokerWork extends LoadWork {
  readonly id: number
  readonly ask: (process: string) => void
  readonly beat: (beat: Beat) => void
  readonly read: (reader: string, entries: ReadonlyArray<StoredEntry>) => void
}
interface Self {
  epoch: bigint
  leader: Address | undefined
  offset: number
}

/** A paused candidate gets what was sent to it when it continues, however late. */
const patientMs = 30_000
const beatsInFlightMax = 100

const patientLink = (address: Address, clientId: string): Load<Link> =>
  connect(address, { clientId, connectTimeoutMs: 2000, requestTimeoutMs: patientMs, inFlightRequestsMax: beatsInFlightMax, responseBytesMax: 10_000_000 })

const register = (link: Link, { id, process }: BrokerWork) =>
  link.call(BrokerRegistration, {
    brokerId: id,
    clusterId: "",
    incarnationId: `I${process.replace(/\D/g, "").padStart(20, "0")}A`,
    listeners: [{ name: "PLAINTEXT", host: `broker-${id}`, port: 9092, securityProtocol: 0 }],
    features: [],
    rack: null
  })

/** One request of a broker, of which only a leader may say anything but NOT_CONTROLLER. Returns its error. */
const asked = (work: BrokerWork, self: Self, candidate: Address, request: Effect.Effect<{ readonly errorCode: number }, unknown>): Load<KafkaError> =>
  Effect.gen(function* () {
    const process = work.processAt(candidate)
    const askedMs = yield* Clock.currentTimeMillis
    work.ask(process)
    const { errorCode } = yield* request
    const error = kafkaError(errorCode)
    if (error === "NOT_CONTROLLER") return error
    self.leader = candidate
    work.beat({ process, broker: work.process, askedMs, answeredMs: yield* Clock.currentTimeMillis })
    return error
  })

const beatOnce = (work: BrokerWork, self: Self, link: Link, candidate: Address): Load<void> =>
  Effect.gen(function* () {
    const { epoch } = self
    const beat = { brokerId: work.id, brokerEpoch: epoch, currentMetadataOffset: epoch, wantFence: false, wantShutDown: false }
    const error = yield* asked(work, self, candidate, link.call(BrokerHeartbeat, beat))
    if (error !== "NONE" && self.epoch === epoch) link.abandon(`the heartbeat was answered with ${error}`)
  })

/** Registers at a candidate until that leads; then it beats there, without a wait for answers. */
const beatingAt = (work: BrokerWork, self: Self, candidate: Address): Effect.Effect<never, never, Transport> => {
  const pause = Effect.suspend(() => Effect.sleep(work.chance.between(150, 500)))
  const registration = (link: Link) =>
    Effect.tap(register(link, work), ({ brokerEpoch, errorCode }) => Effect.sync(() => errorCode === 0 && (self.epoch = brokerEpoch)))
  const visit = Effect.gen(function* () {
    const link = yield* patientLink(candidate, work.process)
    while ((yield* asked(work, self, candidate, registration(link))) !== "NONE") yield* pause
    const beats = Effect.forever(Effect.zipRight(pause, Effect.forkScoped(Effect.ignore(beatOnce(work, self, link, candidate)))))
    return yield* Effect.raceFirst(beats, link.closed)
  })
  return Effect.forever(Effect.catchAll(Effect.scoped(visit), () => pause))
}

const journalFrom = (offset: number) => ({
  maxWaitMs: 500,
  minBytes: 1,
  maxBytes: 1_000_000,
  topics: [{ topic: metadataTopic, topicId: metadataTopicId, partitions: [{ partition: 0, fetchOffset: BigInt(offset), partitionMaxBytes: 1_000_000 }] }]
})

/** Reads the journal of the candidate that answered last as the leader. */
const reading = (work: BrokerWork, self: Self): Effect.Effect<never, never, Transport> => {
  const visit = Effect.gen(function* () {
    const { leader } = self
    if (leader === undefined) return
    const link = yield* linkTo(leader, work.process)
    while (self.leader === leader) {
      const answer = yield* link.call(Fetch, journalFrom(self.offset))
      const found = answer.responses[0]?.partitions[0]
      if (found === undefined || found.errorCode !== 0) return
      const entries = [...(yield* decodeEntries(metadataTopic, [found.records ?? new Uint8Array(0)], crc32c))].filter(({ index }) => index >= self.offset)
      work.read(work.process, entries)
      self.offset = (entries.at(-1)?.index ?? self.offset - 1) + 1
    }
  })
  return Effect.forever(
    Effect.zipRight(
      Effect.catchAll(Effect.scoped(visit), () => Effect.void),
      Effect.sleep(work.chance.between(50, 300))
    )
  )
}

export const beingBroker = (work: BrokerWork): Effect.Effect<never, never, Transport> => {
  const self: Self = { epoch: -1n, leader: undefined, offset: 0 }
  const all = [reading(work, self), ...work.candidates.map((candidate) => beatingAt(work, self, candidate))]
  return Effect.zipRight(Effect.all(all, { concurrency: "unbounded", discard: true }), Effect.never)
}

/** Errors after which the command may be carried out at another candidate. */
const passing: ReadonlySet<KafkaError> = new Set<KafkaError>(["NOT_CONTROLLER", "REQUEST_TIMED_OUT", "COORDINATOR_NOT_AVAILABLE"])
/** Attempts of one command, each at another candidate. */
const attemptsMax = 40

const send = (link: Link, { action, topic }: TopicCommand, id: string, partitions: number) => {
  const options = { tags: [{ tag: commandIdTag, data: new TextEncoder().encode(id) }] }
  if (action === "remove")
    return Effect.map(link.call(DeleteTopics, { topicNames: [topic], timeoutMs: 2000 }, { ...options, version: 5 }), ({ responses }) => ({
      error: kafkaError(responses[0]?.errorCode ?? -1),
      topicId: ""
    }))
  const draft = { name: topic, numPartitions: partitions, replicationFactor: 1, assignments: [], configs: [] }
  return Effect.map(link.call(CreateTopics, { topics: [draft], timeoutMs: 2000 }, options), ({ topics }) => ({
    error: kafkaError(topics[0]?.errorCode ?? -1),
    topicId: topics[0]?.topicId ?? ""
  }))
}

/** Sends a command to one candidate after the other, with the same id, until one says what became of it. */
export const decided = (work: LoadWork, command: TopicCommand, partitions: number): Effect.Effect<Outcome<string>, never, Transport> =>
  Effect.gen(function* () {
    const id = `${work.process}-${work.number()}`
    let isRepeated = false
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const candidate = work.chance.pick(work.candidates)
      const sent = yield* Effect.either(Effect.scoped(Effect.flatMap(linkTo(candidate, work.process), (link) => send(link, command, id, partitions))))
      if (sent._tag === "Right" && !passing.has(sent.right.error)) {
        if (isRepeated && sent.right.error === "NONE") work.reached.hit("a command was answered after an unknown result")
        return sent.right.error === "NONE" ? { _tag: "ok", value: sent.right.topicId } : { _tag: "fail", error: sent.right.error }
      }
      if (sent._tag === "Left" && !String(sent.left).includes("Connect")) isRepeated = true
      yield* Effect.sleep(work.chance.between(20, 400))
    }
    return { _tag: "unknown", error: "no candidate said what became of it" }
  })

/** Topics that the load leaves: each image of the cluster has them all. */
const topicsMax = 25

/** Makes topics and removes some of them: names that no other client uses. */
export const makingTopics = (work: LoadWork): Effect.Effect<void, never, Transport> =>
  Effect.gen(function* () {
    const { chance, goesOn, number, process, recorder } = work
    const made: Array<string> = []
    while (goesOn()) {
      yield* Effect.sleep(chance.between(20, 600))
      const gone = made.length >= topicsMax || chance.isTrue(0.4) ? made.shift() : undefined
      const command: TopicCommand = gone === undefined ? { action: "add", topic: `scratch.${number()}` } : { action: "remove", topic: gone }
      const complete = recorder.invoke(recorder.topics, process, command)
      const outcome = yield* decided(work, command, chance.between(1, 2))
      recorder.say(`${process} ${command.action} ${command.topic}: ${outcome._tag === "ok" ? outcome.value : outcome.error}`)
      complete(outcome)
      if (outcome._tag === "ok" && command.action === "add") made.push(command.topic)
    }
  })

/** Asks random candidates for committed offsets. */
export const readingOffsets = (work: LoadWork, group: string, places: ReadonlyArray<TopicPartition>): Effect.Effect<never, never, Transport> => {
  const visit: Load<void> = Effect.gen(function* () {
    const link = yield* linkTo(work.chance.pick(work.candidates), work.process)
    for (let looks = work.chance.between(1, 20); looks > 0; looks--) {
      yield* Effect.sleep(work.chance.between(10, 200))
      yield* readOffset(work, link, group, work.chance.pick(places))
    }
  })
  return Effect.forever(Effect.catchAll(Effect.scoped(visit), () => Effect.sleep(100)))
}
