import { type Clock, Effect } from "effect"
import { type KafkaError, kafkaError } from "../../../../domain/kernel/error-code.ts"
import { Fetch } from "../../../protocol/message/01-fetch.ts"
import type { ResponseOf } from "../../../protocol/type/wire.ts"
import type { Client } from "../../cluster/client.ts"
import { type AnswerTooLarge, type ClientDefect, failure } from "../../error.ts"
import type { NodeView } from "../../metadata/view.ts"
import { monotonicMs } from "../../runtime/monotonic.ts"
import { isLeadership, type RetryKind, retryDelayMs, retryKindOf } from "../../runtime/retry.ts"
import { Signal } from "../../runtime/signal.ts"
import { supervised } from "../../runtime/supervision.ts"
import { type FetchCall, type Fetched, fetchCall, fetchedOf } from "./fetch-request.ts"
import { FetchSession, isSessionError } from "./fetch-session.ts"
import type { PartitionReader } from "./partition-reader.ts"
import type { FetchSettings } from "./settings.ts"

const never = Number.POSITIVE_INFINITY
/** A node from which nothing comes for this long after a fetch had its time to wait is asked on another connection, ms. */
const silentMs = 5000

export interface FetcherParts {
  readonly client: Client
  readonly reading: FetchSettings
  readonly clock: Clock.Clock
  readonly fork: (effect: Effect.Effect<void>) => void
  /** Something came that a poll may wait for. */
  readonly arrived: () => void
  /** The offset that was asked for is not there: a new one must be found. */
  readonly outOfRange: (reader: PartitionReader) => void
  /** A loop failed by a defect, and begins anew. */
  readonly failed: (fault: ClientDefect) => void
}

/**
 * Reads ahead for a consumer: one long-polling fetch at a time on the way to each node that leads some of its partitions, while the user works on what came before. A
 * partition with enough in its buffer is left out of the next. What stays the same from one fetch to the next is not said again (KIP-227).
 */
export class Fetcher {
  private readers: ReadonlyArray<PartitionReader> = []
  /** A loop for each node that leads something, with the bell that wakes it. */
  private readonly loops = new Map<number, Signal>()
  private readonly homeless = new Signal()

  constructor(private readonly parts: FetcherParts) {}

  private now(): number {
    return monotonicMs(this.parts.clock)
  }

  /** Reads these from now on, and no others. */
  follow(readers: ReadonlyArray<PartitionReader>): void {
    this.readers = readers
    this.wake()
  }
  /** There is room in a buffer, or a reader has moved. */
  wake(): void {
    for (const signal of this.loops.values()) signal.notify()
    this.homeless.notify()
  }

  private leaderOf(reader: PartitionReader): NodeView | undefined {
    const view = this.parts.client.metadata.view()
    return view.nodes.get(view.topics.get(reader.topic)?.partitions[reader.partition]?.leader ?? -1)
  }
  /** The node that a partition is read from, unless it is to be asked about first. */
  private homeOf(reader: PartitionReader): NodeView | undefined {
    return this.doubted.has(reader.topic) ? undefined : this.leaderOf(reader)
  }
  private readonly doubted = new Set<string>()

  /** Sees to it that every node that leads something has its loop, and asks the cluster about partitions without one. Runs until its fiber ends. */
  readonly run: Effect.Effect<never> = Effect.forever(
    Effect.suspend(() => {
      const lost: Array<PartitionReader> = []
      for (const reader of this.readers) {
        const node = this.homeOf(reader)
        if (node === undefined) lost.push(reader)
        else if (!this.loops.has(node.id)) {
          this.loops.set(node.id, new Signal())
          this.parts.fork(this.loop(node.id))
        }
      }
      if (lost.length === 0) return this.homeless.wait
      const failures = Math.min(...lost.map((reader) => (reader.failures += 1)))
      const topics = [...new Set(lost.map(({ topic }) => topic))]
      const pauseMs = retryDelayMs("leadership", failures, this.parts.client.random.next())
      return Effect.sleep(pauseMs).pipe(
        Effect.andThen(Effect.ignore(this.parts.client.metadata.refresh(topics))),
        Effect.andThen(
          Effect.sync(() => {
            for (const topic of topics) this.doubted.delete(topic)
            for (const reader of lost) this.adopt(reader)
            for (const signal of this.loops.values()) signal.notify()
          })
        )
      )
    })
  )

  /** A topic that was removed and made again has another id, and its offsets begin anew: none of the messages there was read. */
  private adopt(reader: PartitionReader): void {
    const topic = this.parts.client.metadata.view().topics.get(reader.topic)
    if (topic === undefined || topic.topicId === reader.topicId) return
    reader.topicId = topic.topicId
    reader.seek(0)
    // The group's offset went with the old topic: the beginning is committed again, so that the next member does not choose another.
    reader.progress.committed = -1
  }

  /** Fetches from one node until it leads nothing that is read. */
  private loop(nodeId: number): Effect.Effect<void> {
    const signal = this.loops.get(nodeId) ?? new Signal()
    const session = new FetchSession()
    const step = Effect.suspend((): Effect.Effect<boolean> => {
      const mine = this.readers.filter((reader) => !reader.closed && this.homeOf(reader)?.id === nodeId)
      const node = mine[0] === undefined ? undefined : this.homeOf(mine[0])
      if (node === undefined) return Effect.succeed(false)
      const now = this.now()
      const room = this.parts.reading.bufferBytesMax - this.readers.reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0)
      const ready = room <= 0 ? [] : mine.filter((reader) => this.isReady(reader, now))
      if (ready.length > 0) return Effect.as(this.fetch(node, ready, room, session), true)
      const wakeAt = mine.reduce((soonest, { notBefore }) => (notBefore > now ? Math.min(soonest, notBefore) : soonest), never)
      return Effect.as(signal.waitAtMost(wakeAt - now), true)
    })
    const end = Effect.sync(() => {
      this.loops.delete(nodeId)
      this.homeless.notify()
    })
    const steps = Effect.asVoid(Effect.repeat(step, { while: (goesOn) => goesOn }))
    const failed = (fault: ClientDefect) => {
      session.restart()
      this.parts.failed(fault)
    }
    return Effect.ensuring(supervised("fetch loop", steps, failed), end)
  }
  private isReady(reader: PartitionReader, now: number): boolean {
    return reader.failed === undefined && reader.notBefore <= now && reader.bufferedBytes < this.parts.reading.partitionBytesMax
  }

  private fetch(node: NodeView, readers: ReadonlyArray<PartitionReader>, room: number, session: FetchSession): Effect.Effect<void> {
    const { client, reading } = this.parts
    const wasOpening = session.isOpening
    const call = fetchCall(readers, client.metadata.view(), reading, Math.min(reading.fetchBytesMax, room), session)
    const { versionMax, versionMin } = call
    const timeoutMs = reading.fetchWaitMs + client.options.requestTimeoutMs
    const silenceMs = reading.fetchWaitMs + Math.min(client.options.requestTimeoutMs, silentMs)
    return Effect.match(client.pool.call(node.address, Fetch, call.request, { lane: "fetch", timeoutMs, silenceMs, versionMax, versionMin }), {
      onSuccess: (response) => this.take(response, call, session, wasOpening),
      // The leaders may have changed with the connection; the answer to that question also tells whether anybody is there.
      onFailure: (error) => {
        session.restart()
        if (error._tag === "AnswerTooLarge") return this.tooLarge(readers, error)
        for (const reader of readers) this.again(reader, "connection")
      }
    })
  }

  private take(response: ResponseOf<typeof Fetch>, call: FetchCall, session: FetchSession, wasOpening: boolean): void {
    const error = kafkaError(response.errorCode)
    if (error !== "NONE") {
      if (error === "FETCH_SESSION_ID_NOT_FOUND") session.forgotten()
      else session.restart()
      // The next fetch says everything again, at once: nothing was given and nothing is lost.
      if (isSessionError(error) && !wasOpening) return
      for (const { reader } of call.asked) this.settle({ reader, from: reader.fetchFrom, error, records: null, highWatermark: -1 })
      return
    }
    session.answered(response.sessionId)
    let news = false
    const all = fetchedOf(response, call)
    for (const fetched of all) {
      this.settle(fetched)
      news ||= fetched.reader.hasBuffered || fetched.reader.failed !== undefined
    }
    const answered = response.responses.reduce((sum, { partitions }) => sum + partitions.length, 0)
    if (answered > all.length) this.misunderstood(call, session)
    // What is not told again is as it was, also for a reader that was not there then.
    if (news) this.parts.arrived()
  }

  /** The answer speaks of partitions that nobody asked for: all is said again, and not at once by those whom it brought nothing, or the two would go round without end. */
  private misunderstood({ asked }: FetchCall, session: FetchSession): void {
    session.restart()
    const now = this.now()
    for (const { from, reader } of asked) if (!reader.closed && reader.fetchFrom === from && reader.notBefore <= now) this.pause(reader, "load")
  }

  private settle({ error, from, highWatermark, reader, records }: Fetched): void {
    // Closed or moved while the answer was on its way: it speaks of another assignment or place.
    if (reader.closed || reader.fetchFrom !== from) return
    if (error === "NONE") {
      reader.failures = 0
      reader.highWatermark = highWatermark
      reader.buffer(from, records)
      // An answer with bytes and without a message is not asked for again at once.
      if (reader.isIdle) this.pause(reader, "load")
      return
    }
    if (error === "OFFSET_OUT_OF_RANGE") {
      this.pause(reader, "load")
      return this.parts.outOfRange(reader)
    }
    this.failed(reader, error)
  }
  /** The same fetch would have the same answer: the caller has to choose other bounds. */
  private tooLarge(readers: ReadonlyArray<PartitionReader>, error: AnswerTooLarge): void {
    for (const reader of readers) if (!reader.closed) reader.failed ??= error
    this.parts.arrived()
  }
  private failed(reader: PartitionReader, error: KafkaError): void {
    if (isLeadership(error)) return this.again(reader, "leadership")
    const fault = failure(error, `Fetch of ${reader.topic}-${reader.partition}`)
    if (fault._tag === "KafkaFailure" && fault.retriable) return this.pause(reader, retryKindOf(error))
    reader.failed = fault
    this.parts.arrived()
  }

  /** Tried again once the cluster has said who leads. */
  private again(reader: PartitionReader, kind: RetryKind): void {
    this.pause(reader, kind)
    this.doubted.add(reader.topic)
    this.homeless.notify()
  }
  private pause(reader: PartitionReader, kind: RetryKind): void {
    reader.failures += 1
    reader.notBefore = this.now() + retryDelayMs(kind, reader.failures, this.parts.client.random.next())
  }
}
