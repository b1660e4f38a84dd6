import { type Clock, Effect, FiberMap } from "effect"
import { type KafkaError, kafkaError } from "../../../../domain/kernel/error-code.ts"
import { Fetch } from "../../../protocol/message/01-fetch.ts"
import type { ResponseOf } from "../../../protocol/type/wire.ts"
import { type Client, ClusterClient } from "../../cluster/client.ts"
import { type AnswerTooLarge, type AuthenticationFailed, type ClientDefect, failure, isRefusedConnection, type TlsFailed } from "../../error.ts"
import type { NodeView } from "../../metadata/view.ts"
import { monotonicMs } from "../../runtime/monotonic.ts"
import { isLeadership, type RetryKind, retryDelayMs, retryKindOf } from "../../runtime/retry.ts"
import { Signal } from "../../runtime/signal.ts"
import { supervised } from "../../runtime/supervision.ts"
import { fetchRequest, type PartitionFetchResult, partitionResults, type VersionedFetchRequest } from "./fetch-request.ts"
import { FetchSession, isSessionError } from "./fetch-session.ts"
import type { PartitionReader } from "./partition-reader.ts"
import { FetchConfig, type FetchSettings } from "./settings.ts"

const never = Number.POSITIVE_INFINITY
/**
 * A node that sends no byte for this long after `fetchWaitMs` is called again on another connection, ms. Twice as long
 * after each silence in a row: the node may be busy, and would otherwise be left before each of its responses.
 */
const silentMs = 5000
/** How often the silence is doubled, at most. */
const silencesMax = 8

/** What the consumer does with the results. */
interface FetchListener {
  /** A poll may find messages or an error. */
  readonly onArrived: () => void
  /** The partition has no offset `fetchFrom`: the reader needs another. */
  readonly onOutOfRange: (reader: PartitionReader) => void
  /** The topic was deleted and created again. The reader begins with its first message. */
  readonly onRecreated: (reader: PartitionReader) => void
  /** A fetch from the node failed; undefined: the node responds again. */
  readonly onNode: (nodeId: number, failure: string | undefined) => void
  /** A loop failed by a defect, and starts again. */
  readonly onDefect: (fault: ClientDefect) => void
}

interface Services {
  readonly client: Client
  readonly settings: FetchSettings
  readonly clock: Clock.Clock
}

/**
 * Fetches ahead of the consumer's polls. Each node that leads some of the partitions, or has a replica that their leader
 * prefers, has one long-polling fetch in flight, in a session (KIP-227). A partition with enough bytes in its buffer is left out of the next fetch.
 */
export class Fetcher {
  private readers: ReadonlyArray<PartitionReader> = []
  /** Wakes the loop of a node, for each node that has one. */
  private readonly loops = new Map<number, Signal>()
  /** Wakes `run`, which starts loops. */
  private readonly changed = new Signal()
  /** Nodes whose last fetch failed. */
  private readonly failing = new Set<number>()
  /** Silences in a row of the nodes whose last fetch timed out, or was answered after `silentMs`. */
  private readonly silences = new Map<number, number>()
  /** Topics whose leaders are requested before they are fetched again. */
  private readonly stale = new Set<string>()

  static readonly make = (listener: FetchListener): Effect.Effect<Fetcher, never, ClusterClient | FetchConfig> =>
    Effect.map(Effect.all({ client: ClusterClient, settings: FetchConfig, clock: Effect.clock }), (services) => new Fetcher(services, listener))

  private constructor(
    private readonly services: Services,
    private readonly listener: FetchListener
  ) {}

  private now(): number {
    return monotonicMs(this.services.clock)
  }

  /** Fetches for these readers from now on, and for no others. */
  follow(readers: ReadonlyArray<PartitionReader>): void {
    this.readers = readers
    this.wake()
  }
  /** A buffer has room again, or a reader has moved. */
  wake(): void {
    for (const signal of this.loops.values()) signal.notify()
    this.changed.notify()
  }

  /** The node to fetch from: the replica that the leader prefers for this consumer's rack (KIP-392), else the leader. */
  private nodeOf(reader: PartitionReader): NodeView | undefined {
    if (this.stale.has(reader.topic)) return undefined
    const view = this.services.client.metadata.view()
    const replica = reader.preferred === undefined ? undefined : view.nodes.get(reader.preferred.nodeId)
    return replica ?? view.nodes.get(view.topics.get(reader.topic)?.partitions[reader.partition]?.leader ?? -1)
  }
  /** Fetches from the leaders again whose choice of a replica is old: another replica may be nearer by now. */
  private endLeases(now: number): void {
    const ended = this.readers.filter(({ preferred }) => preferred !== undefined && preferred.until <= now)
    for (const reader of ended) reader.preferred = undefined
    if (ended.length > 0) this.wake()
  }

  /** Runs a loop for each node that leads a partition, and requests the leaders of the others. */
  readonly run: Effect.Effect<never> = Effect.scoped(
    Effect.flatMap(FiberMap.make<number, void>(), (fibers) => Effect.forever(Effect.suspend(() => this.supervise(fibers))))
  )
  private supervise(fibers: FiberMap.FiberMap<number, void>): Effect.Effect<void> {
    const leaderless: Array<PartitionReader> = []
    const starting: Array<Effect.Effect<unknown>> = []
    for (const reader of this.readers) {
      const node = this.nodeOf(reader)
      if (node === undefined) leaderless.push(reader)
      else if (!this.loops.has(node.id)) {
        const signal = new Signal()
        this.loops.set(node.id, signal)
        starting.push(FiberMap.run(fibers, node.id, this.loop(node.id, signal)))
      }
    }
    const started = Effect.all(starting, { discard: true })
    return Effect.zipRight(started, leaderless.length === 0 ? this.changed.wait : this.findLeaders(leaderless))
  }

  private findLeaders(leaderless: ReadonlyArray<PartitionReader>): Effect.Effect<void> {
    const { metadata, random } = this.services.client
    const failures = Math.min(...leaderless.map((reader) => (reader.failures += 1)))
    const topics = [...new Set(leaderless.map(({ topic }) => topic))]
    const found = Effect.sync(() => {
      for (const topic of topics) this.stale.delete(topic)
      for (const reader of leaderless) this.followTopic(reader)
      for (const signal of this.loops.values()) signal.notify()
    })
    return Effect.sleep(retryDelayMs("leadership", failures, random.next())).pipe(
      Effect.zipRight(Effect.ignore(metadata.refresh(topics))),
      Effect.zipRight(found)
    )
  }

  /**
   * A topic that was deleted and created again has another id, and its offsets begin at 0: none of its messages was
   * read.
   */
  private followTopic(reader: PartitionReader): void {
    const topic = this.services.client.metadata.view().topics.get(reader.topic)
    if (topic === undefined || topic.topicId === reader.topicId) return
    reader.topicId = topic.topicId
    reader.seek(0)
    // The group's offset belonged to the old topic: the beginning is committed again, so that the next member does not
    // choose another.
    reader.progress.committed = -1
    this.listener.onRecreated(reader)
  }

  /** Fetches from one node until it leads none of the partitions. */
  private loop(nodeId: number, signal: Signal): Effect.Effect<void> {
    const session = new FetchSession()
    const step = Effect.suspend((): Effect.Effect<boolean> => {
      this.endLeases(this.now())
      const led = this.readers.filter((reader) => !reader.closed && this.nodeOf(reader)?.id === nodeId)
      const node = led[0] === undefined ? undefined : this.nodeOf(led[0])
      if (node === undefined) return Effect.succeed(false)
      const now = this.now()
      const freeBytes = this.services.settings.bufferBytesMax - this.readers.reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0)
      const ready = freeBytes <= 0 ? [] : led.filter((reader) => this.isReady(reader, now))
      if (ready.length > 0) return Effect.as(this.fetch(node, ready, freeBytes, session), true)
      const wakeAt = led.reduce((soonest, { notBefore }) => (notBefore > now ? Math.min(soonest, notBefore) : soonest), never)
      return Effect.as(signal.waitAtMost(wakeAt - now), true)
    })
    const end = Effect.sync(() => {
      this.loops.delete(nodeId)
      this.changed.notify()
    })
    const steps = Effect.asVoid(Effect.repeat(step, { while: (goesOn) => goesOn }))
    const onDefect = (fault: ClientDefect) => {
      session.restart()
      this.listener.onDefect(fault)
    }
    return Effect.ensuring(supervised("fetch loop", steps, onDefect), end)
  }
  private isReady(reader: PartitionReader, now: number): boolean {
    return !reader.paused && reader.failed === undefined && reader.notBefore <= now && reader.bufferedBytes < this.services.settings.partitionBytesMax
  }

  private fetch(node: NodeView, readers: ReadonlyArray<PartitionReader>, freeBytes: number, session: FetchSession): Effect.Effect<void> {
    const { client, settings } = this.services
    const wasOpening = session.isOpening
    const fetch = fetchRequest(readers, client.metadata.view(), settings, Math.min(settings.fetchBytesMax, freeBytes), session)
    const { request, versionMax, versionMin } = fetch
    const timeoutMs = settings.fetchWaitMs + client.options.requestTimeoutMs
    const silences = this.silences.get(node.id) ?? 0
    const silenceMs = settings.fetchWaitMs + Math.min(client.options.requestTimeoutMs, silentMs * 2 ** silences)
    const sentAt = this.now()
    return Effect.match(client.pool.call(node.address, Fetch, request, { lane: "fetch", timeoutMs, silenceMs, versionMax, versionMin }), {
      onSuccess: (response) => {
        if (this.failing.delete(node.id)) this.listener.onNode(node.id, undefined)
        // A node that is as slow as before keeps its time.
        if (this.now() - sentAt <= settings.fetchWaitMs + silentMs) this.silences.delete(node.id)
        this.receive(response, fetch, session, wasOpening)
      },
      // The leaders may have changed with the connection, and the metadata request shows whether a node responds at
      // all.
      onFailure: (error) => {
        session.restart()
        if (error._tag === "AnswerTooLarge" || isRefusedConnection(error)) return this.onPermanent(readers, error)
        if (error._tag === "RequestTimedOut") this.silences.set(node.id, Math.min(silencesMax, silences + 1))
        if (!this.failing.has(node.id)) this.listener.onNode(node.id, error.message)
        this.failing.add(node.id)
        for (const reader of readers) {
          // The leader may be reachable where a follower is not.
          reader.preferred = undefined
          this.retry(reader, "connection")
        }
      }
    })
  }

  private receive(response: ResponseOf<typeof Fetch>, fetch: VersionedFetchRequest, session: FetchSession, wasOpening: boolean): void {
    const error = kafkaError(response.errorCode)
    if (error !== "NONE") {
      if (error === "FETCH_SESSION_ID_NOT_FOUND") session.onSessionLost()
      else session.restart()
      // The next fetch opens a new session at once: the node returned no records, so none are lost.
      if (isSessionError(error) && !wasOpening) return
      for (const { reader } of fetch.requested)
        this.take({ reader, from: reader.fetchFrom, error, records: null, highWatermark: -1, aborted: [], preferredReplica: -1 })
      return
    }
    session.onResponse(response.sessionId)
    let hasNews = false
    const results = partitionResults(response, fetch)
    for (const result of results) {
      this.take(result)
      hasNews ||= result.reader.hasBuffered || result.reader.failed !== undefined
    }
    const partitions = response.responses.reduce((sum, topic) => sum + topic.partitions.length, 0)
    if (partitions > results.length) this.onUnrequested(fetch, session)
    if (hasNews) this.listener.onArrived()
  }

  /**
   * The response has partitions that the session does not request: the two sides disagree about it, and the next fetch
   * opens a new one. Partitions without progress pause first: a node that repeats such responses would be called
   * without end.
   */
  private onUnrequested({ requested }: VersionedFetchRequest, session: FetchSession): void {
    session.restart()
    const now = this.now()
    for (const { from, reader } of requested) if (!reader.closed && reader.fetchFrom === from && reader.notBefore <= now) this.pause(reader, "load")
  }

  private take({ aborted, error, from, highWatermark, preferredReplica, reader, records }: PartitionFetchResult): void {
    // The reader was closed or moved while the fetch was in flight: the result belongs to another assignment or offset.
    if (reader.closed || reader.fetchFrom !== from) return
    if (error === "NONE") {
      reader.failures = 0
      // The leader returned no records with it.
      if (preferredReplica >= 0) this.prefer(reader, preferredReplica)
      reader.highWatermark = highWatermark
      reader.buffer(from, records, aborted)
      // A result with bytes and without a whole batch is not requested again at once.
      if (reader.isIdle) this.pause(reader, "load")
      return
    }
    // A follower may lack what the leader has.
    const wasPreferred = reader.preferred !== undefined
    reader.preferred = undefined
    if (wasPreferred) this.wake()
    if (error === "OFFSET_OUT_OF_RANGE") {
      this.pause(reader, "load")
      if (wasPreferred) return
      return this.listener.onOutOfRange(reader)
    }
    this.fail(reader, error)
  }
  private prefer(reader: PartitionReader, nodeId: number): void {
    const { metadata, options } = this.services.client
    if (!metadata.view().nodes.has(nodeId)) return
    reader.preferred = { nodeId, until: this.now() + options.metadataMaxAgeMs }
    this.wake()
  }
  /** An immediate retry would have the same result: the caller must choose other bounds or credentials. */
  private onPermanent(readers: ReadonlyArray<PartitionReader>, error: AnswerTooLarge | TlsFailed | AuthenticationFailed): void {
    for (const reader of readers) if (!reader.closed) reader.failed ??= error
    this.listener.onArrived()
  }
  private fail(reader: PartitionReader, error: KafkaError): void {
    if (isLeadership(error)) return this.retry(reader, "leadership")
    const fault = failure(error, `Fetch of ${reader.topic}-${reader.partition}`)
    if (fault._tag === "KafkaFailure" && fault.retriable) return this.pause(reader, retryKindOf(error))
    reader.failed = fault
    this.listener.onArrived()
  }

  /** Fetches the partition again after a pause: the caller has its error. */
  fetchAgain(reader: PartitionReader): void {
    reader.failed = undefined
    this.pause(reader, "load")
    this.wake()
  }

  /** Fetches again when the cluster has named the leader. */
  private retry(reader: PartitionReader, kind: RetryKind): void {
    this.pause(reader, kind)
    this.stale.add(reader.topic)
    this.changed.notify()
  }
  private pause(reader: PartitionReader, kind: RetryKind): void {
    reader.failures += 1
    reader.notBefore = this.now() + retryDelayMs(kind, reader.failures, this.services.client.random.next())
  }
}
