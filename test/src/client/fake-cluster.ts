import { Effect, Either, type Scope } from "effect"
import type { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { type AppendContext, decideAppend, emptyLog, evolve, type LogState } from "../../../domain/log/append.ts"
import { type RecordBatch, splitBatches } from "../../../domain/log/batch.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { decodeRecords, type Record } from "../../../domain/log/record.ts"
import { Produce } from "../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import { ListOffsets } from "../../../src/protocol/message/02-list-offsets.ts"
import { Metadata } from "../../../src/protocol/message/03-metadata.ts"
import { FindCoordinator } from "../../../src/protocol/message/10-find-coordinator.ts"
import { CreateTopics } from "../../../src/protocol/message/19-create-topics.ts"
import { DeleteTopics } from "../../../src/protocol/message/20-delete-topics.ts"
import { InitProducerId } from "../../../src/protocol/message/22-init-producer-id.ts"
import { type Route, route } from "../../../src/wire/route.ts"
import { serve } from "../../../src/wire/server.ts"
import { noPacking } from "../../domain/log/make-batch.ts"

/** A partition of the fake: what Kafka's leader decides (domain/log), without disk or journal. */
interface FakePartition {
  leader: number
  leaderEpoch: number
  state: LogState
  batches: Array<RecordBatch>
}

/**
 * What becomes of a produce to one partition. "lost": it is stored, and the connection breaks before the answer; "dropped": neither. "mute": it is stored, and the connection
 * stays open without an answer; "deaf": neither.
 */
export type Fate = "stored" | "lost" | "dropped" | "mute" | "deaf" | KafkaError
const storedAllTheSame: ReadonlySet<Fate> = new Set<Fate>(["stored", "lost", "mute", "NOT_ENOUGH_REPLICAS_AFTER_APPEND", "REQUEST_TIMED_OUT"])

const context: AppendContext = {
  leaderEpoch: 0,
  now: 0,
  crc32c,
  packing: noPacking,
  batchBytesMax: 1_000_000,
  segmentBytesMax: 1_000_000_000,
  timestampType: "CreateTime",
  timestampBeforeMaxMs: Number.POSITIVE_INFINITY,
  timestampAfterMaxMs: Number.POSITIVE_INFINITY
}

/** Nodes named node0, node1 … on port 9092 of a memory network, whose answers the test decides. */
export class FakeCluster {
  readonly topics = new Map<string, Array<FakePartition>>()
  /** The fate of each produce to a partition, asked in the order in which they arrive. */
  fate: (topic: string, partition: number, batch: RecordBatch) => Fate = () => "stored"
  batchBytesMax = context.batchBytesMax
  autoCreate = false
  /** Requests by API name, in the order of their arrival. */
  readonly seen: Array<string> = []
  /** Errors to answer with, by API name, the next first. */
  readonly errors = new Map<string, Array<KafkaError>>()
  /** How long a fetch waits in the queue of a busy node, ms. */
  fetchQueueMs = 0
  /** Fetches are answered at once, with nothing but an empty partition of this topic. */
  strayTopicId: string | undefined
  /** The replica that a leader names to consumers of a rack (KIP-392). The other nodes are followers then, and answer fetches as `followerError` says. */
  preferredReplica: ((rackId: string) => number) | undefined
  followerError: KafkaError = "NONE"
  /** The nodes that were asked for records, in the order of the requests. */
  readonly fetchedAt: Array<number> = []
  extraRoutes: ReadonlyArray<Route> = []
  /** Part of every topic's id: raise it before a topic is made anew under its name. */
  generation = 0
  private nextProducerId = 1000n

  constructor(
    readonly network: MemoryNetwork,
    readonly nodes = 2
  ) {}

  private topicId(name: string): string {
    return Buffer.from(`${name}${this.generation}`.padEnd(16, "-").slice(0, 16)).toString("base64url")
  }
  add(topic: string, partitions: number): void {
    this.topics.set(
      topic,
      Array.from({ length: partitions }, (_, partition) => ({ leader: partition % this.nodes, leaderEpoch: 0, state: emptyLog, batches: [] }))
    )
  }
  partition(topic: string, partition: number): FakePartition {
    const found = this.topics.get(topic)?.[partition]
    if (found === undefined) throw new Error(`no ${topic}-${partition}`)
    return found
  }
  /** Every record of a partition, in its order. */
  records(topic: string, partition: number): ReadonlyArray<Record> {
    return this.partition(topic, partition).batches.flatMap((batch) => Either.getOrThrow(decodeRecords(batch, batch.records)))
  }
  texts(topic: string, partition: number): ReadonlyArray<string> {
    return this.records(topic, partition).map(({ value }) => new TextDecoder().decode(value ?? new Uint8Array()))
  }
  move(topic: string, partition: number, leader: number): void {
    const found = this.partition(topic, partition)
    found.leader = leader
    found.leaderEpoch += 1
  }

  readonly start: Effect.Effect<void, unknown, Scope.Scope> = Effect.suspend(() =>
    Effect.forEach(
      Array.from({ length: this.nodes }, (_, node) => node),
      (node) =>
        serve({ host: `node${node}`, port: 9092 }, this.routes(node), serveOptions).pipe(Effect.provide(this.network.layer(`node${node}`))) as Effect.Effect<
          unknown,
          unknown,
          Scope.Scope
        >,
      { discard: true }
    )
  )

  private error(api: string): number {
    this.seen.push(api)
    const next = this.errors.get(api)?.shift()
    return next === undefined ? 0 : errorCode(next)
  }

  private routes(node: number): ReadonlyArray<Route> {
    const extra = new Set(this.extraRoutes.map(({ api }) => api.key))
    const own: ReadonlyArray<Route> = [
      this.produce(node),
      this.metadata(),
      this.listOffsets(node),
      this.fetch(node),
      route(InitProducerId, {}, () => {
        const error = this.error("InitProducerId")
        return { throttleTimeMs: 0, errorCode: error, producerId: error === 0 ? this.nextProducerId++ : -1n, producerEpoch: 0 }
      }),
      route(FindCoordinator, { versions: [0, 3] }, () => ({ errorCode: this.error("FindCoordinator"), nodeId: 0, host: "node0", port: 9092 })),
      ...this.changes()
    ]
    return [...own.filter(({ api }) => !extra.has(api.key)), ...this.extraRoutes]
  }

  private produce(node: number): Route {
    return route(Produce, { pipelined: true }, ({ topicData }, { connectionId: _ }) => {
      this.seen.push("Produce")
      let broken = false
      let silent = false
      const responses = topicData.map((topic) => {
        const name = [...this.topics.keys()].find((known) => this.topicId(known) === topic.topicId) ?? ""
        const partitionResponses = topic.partitionData.map(({ index, records }) => {
          const { answer, breaks, stalls } = this.append(node, name, index, records ?? new Uint8Array())
          broken ||= breaks
          silent ||= stalls
          return answer
        })
        return { topicId: topic.topicId, partitionResponses }
      })
      if (silent) return Effect.never
      if (!broken) return { responses }
      this.network.drop(`node${node}`)
      return Effect.never
    })
  }
  private append(node: number, topic: string, index: number, records: Uint8Array) {
    const no = (error: KafkaError) => ({ answer: { index, errorCode: errorCode(error), baseOffset: -1n }, breaks: false, stalls: false })
    const found = this.topics.get(topic)?.[index]
    if (found === undefined) return no("UNKNOWN_TOPIC_ID")
    if (found.leader !== node) return no("NOT_LEADER_OR_FOLLOWER")
    const batches = Either.getOrThrow(splitBatches(records.slice()))
    const fate = this.fate(topic, index, batches[0] as RecordBatch)
    if (fate === "dropped") return { ...no("NETWORK_EXCEPTION"), breaks: true }
    if (fate === "deaf") return { ...no("NETWORK_EXCEPTION"), stalls: true }
    if (!storedAllTheSame.has(fate)) {
      const refused = no(fate as KafkaError)
      const isOne = fate !== "INVALID_RECORD" || (batches[0]?.recordCount ?? 0) < 2
      // The first record is the wrong one.
      return isOne ? refused : { ...refused, answer: { ...refused.answer, recordErrors: [{ batchIndex: 0, batchIndexErrorMessage: "wrong" }] } }
    }
    const decided = decideAppend(found.state, batches, { ...context, batchBytesMax: this.batchBytesMax, leaderEpoch: found.leaderEpoch })
    if (Either.isLeft(decided)) return no(decided.left.error)
    if (decided.right._tag === "Append") {
      found.state = evolve(found.state, decided.right.batch, 0)
      found.batches.push(decided.right.batch)
    }
    if (fate !== "stored" && fate !== "lost" && fate !== "mute") return no(fate as KafkaError)
    return { answer: { index, errorCode: 0, baseOffset: BigInt(decided.right.baseOffset) }, breaks: fate === "lost", stalls: fate === "mute" }
  }

  private metadata(): Route {
    return route(Metadata, {}, ({ allowAutoTopicCreation, topics }) => {
      const error = this.error("Metadata")
      const names = topics === null ? [...this.topics.keys()] : topics.map(({ name }) => name ?? "")
      if (allowAutoTopicCreation && this.autoCreate) for (const name of names) if (!this.topics.has(name)) this.add(name, 1)
      return {
        brokers: Array.from({ length: this.nodes }, (_, nodeId) => ({ nodeId, host: `node${nodeId}`, port: 9092 })),
        clusterId: "fake",
        controllerId: 0,
        errorCode: error,
        topics: names.map((name) => this.topicOf(name))
      }
    })
  }
  private topicOf(name: string) {
    const partitions = this.topics.get(name)
    return {
      errorCode: partitions === undefined ? errorCode("UNKNOWN_TOPIC_OR_PARTITION") : 0,
      name,
      topicId: this.topicId(name),
      partitions: (partitions ?? []).map(({ leader, leaderEpoch }, partitionIndex) => ({
        errorCode: leader < 0 ? errorCode("LEADER_NOT_AVAILABLE") : 0,
        partitionIndex,
        leaderId: leader,
        leaderEpoch,
        replicaNodes: [leader],
        isrNodes: [leader]
      }))
    }
  }

  private listOffsets(node: number): Route {
    return route(ListOffsets, {}, ({ topics }) => ({
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, timestamp }) => {
          const found = this.topics.get(name)?.[partitionIndex]
          if (found?.leader !== node) return { partitionIndex, errorCode: errorCode("NOT_LEADER_OR_FOLLOWER") }
          return { partitionIndex, errorCode: 0, offset: timestamp === -1n ? BigInt(found.state.end) : 0n, leaderEpoch: found.leaderEpoch }
        })
      }))
    }))
  }

  /** Answers at once with what is there; waits for the whole time when nothing is. */
  private fetch(node: number): Route {
    return route(Fetch, {}, ({ maxWaitMs, rackId, topics }) => {
      const error = this.error("Fetch")
      this.fetchedAt.push(node)
      if (this.strayTopicId !== undefined)
        return { throttleTimeMs: 0, errorCode: error, responses: [{ topicId: this.strayTopicId, partitions: [this.read(node, this.strayTopicId, 0, 0)] }] }
      const answer = () => ({
        throttleTimeMs: 0,
        errorCode: error,
        responses: topics.map((topic) => ({
          topicId: topic.topicId,
          partitions: topic.partitions.map(({ fetchOffset, partition }) => this.read(node, topic.topicId, partition, Number(fetchOffset), rackId))
        }))
      })
      const now = answer()
      const ready = now.responses.some(({ partitions }) =>
        partitions.some(({ errorCode: code, preferredReadReplica, records }) => code !== 0 || preferredReadReplica >= 0 || (records?.length ?? 0) > 0)
      )
      if (this.fetchQueueMs > 0) return Effect.delay(Effect.sync(answer), this.fetchQueueMs)
      return ready ? now : Effect.delay(Effect.sync(answer), maxWaitMs)
    })
  }
  private read(node: number, id: string, partitionIndex: number, offset: number, rackId = "") {
    const name = [...this.topics.keys()].find((known) => this.topicId(known) === id)
    const found = name === undefined ? undefined : this.topics.get(name)?.[partitionIndex]
    const no = (error: KafkaError, preferredReadReplica = -1) => ({
      partitionIndex,
      errorCode: errorCode(error),
      highWatermark: -1n,
      abortedTransactions: null,
      records: null,
      preferredReadReplica
    })
    if (found === undefined) return no("UNKNOWN_TOPIC_ID")
    if (found.leader !== node && this.preferredReplica === undefined) return no("NOT_LEADER_OR_FOLLOWER")
    if (found.leader !== node && this.followerError !== "NONE") return no(this.followerError)
    const preferred = found.leader === node ? (this.preferredReplica?.(rackId) ?? -1) : -1
    if (preferred >= 0 && preferred !== node) return no("NONE", preferred)
    if (offset < 0 || offset > found.state.end) return no("OFFSET_OUT_OF_RANGE")
    const batches = found.batches.filter(({ nextOffset }) => nextOffset > offset).slice(0, 3)
    return { ...no("NONE"), highWatermark: BigInt(found.state.end), records: Uint8Array.from(batches.flatMap(({ bytes }) => [...bytes])) }
  }

  private changes(): ReadonlyArray<Route> {
    return [
      route(CreateTopics, {}, ({ topics }, { header }) => ({
        throttleTimeMs: 0,
        topics: topics.map(({ name, numPartitions }) => {
          this.commands.push(new TextDecoder().decode(header.unknownTags?.[0]?.data))
          const error = this.error("CreateTopics") || (this.topics.has(name) ? errorCode("TOPIC_ALREADY_EXISTS") : 0)
          if (error === 0) this.add(name, numPartitions)
          return { name, topicId: this.topicId(name), errorCode: error, errorMessage: null, numPartitions }
        })
      })),
      route(DeleteTopics, { versions: [1, 5] }, ({ topicNames }) => ({
        throttleTimeMs: 0,
        responses: topicNames.map((name) => {
          const error = this.error("DeleteTopics") || (this.topics.delete(name) ? 0 : errorCode("UNKNOWN_TOPIC_OR_PARTITION"))
          return { name, errorCode: error }
        })
      }))
    ]
  }
  /** The command ids that came with changes. */
  readonly commands: Array<string> = []
}

const serveOptions = { requestBytesMax: 10_000_000, connectionsMax: 1000, inFlightRequestsMax: 64, writeBufferBytesMax: 10_000_000 }
