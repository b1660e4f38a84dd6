import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { Later } from "../../wire/later.ts"
import type { ResponseCapacity } from "../../wire/memory/response-budget.ts"
import type { RequestContext } from "../../wire/route.ts"
import type { Session } from "../../wire/session.ts"
import { Sliced, type Steps, Stride, visited } from "../../wire/sliced.ts"
import type { Deadlines } from "../deadlines.ts"
import { type FetchingBroker, type FetchRequest, type FetchResponse, type PartitionResponse, Pass, type PassOptions, type TopicResponse } from "./fetch-pass.ts"
import { type FetchSession, nextEpoch, type SessionPartition, topicIdsSince } from "./fetch-session.ts"
import type { FetchSessions } from "./fetch-sessions.ts"
import { SourceWatch, watchPartitions, watchRoom, watchSources, wideWait, within } from "./fetch-wait.ts"
import { folded, partitionsAtOnce, sizeOf, type TopicRequest, topicRequests, walk, walkDue, walkDueInSlices, walkInSlices } from "./fetch-wide.ts"

interface FetchOptions extends PassOptions {
  /** Returns the id of this node's cluster; undefined until the node knows it. A Fetch with another cluster id is refused. */
  readonly clusterId: () => string | undefined
  /** Bytes of records in one response, whatever the client allows (`fetch.max.bytes`). A response may exceed it by its first batch. */
  readonly fetchBytesMax: number
  /** Ends waits. */
  readonly deadlines: Deadlines
  /** Absent: this node opens no fetch sessions. */
  readonly sessions?: FetchSessions
}

/** All that a request reads, and all that its session follows, is read as a replica reads it; as a consumer that may read from a follower; or from the leader alone. */
interface OptionsByReader {
  readonly leader: FetchOptions
  readonly consumer: FetchOptions
  readonly replica: FetchOptions
}
const optionsByReader = (options: FetchOptions): OptionsByReader => ({
  leader: options,
  consumer: { ...options, find: (ref, index) => options.find(ref, index, "consumer") },
  replica: { ...options, find: (ref, index) => options.find(ref, index, "replica") }
})

/** The first version with fetch sessions (KIP-227). */
const sessionsSince = 7
/** The epoch of a full request that opens a session. */
const openingEpoch = 0
/** The epoch of a full request that opens no session. */
const finalEpoch = -1

/** The part of a request context that Fetch needs. */
type FetchContext = Pick<RequestContext, "version"> & { readonly session?: Pick<Session, "answers" | "clientHost" | "listener"> }
type FetchResult = FetchResponse | Later<FetchResult> | Sliced<FetchResult>

const refused = (error: KafkaError, sessionId = 0): FetchResponse => ({ errorCode: errorCode(error), sessionId, responses: [] })

/** The first version that has the broker epoch of a replica (KIP-903). */
const replicaStateSince = 15

/** The first version in which a consumer may read from a follower (KIP-392). */
const followersSince = 11

/** The broker whose replicas fetch; undefined for a consumer. */
const brokerOf = ({ replicaId, replicaState }: Pick<FetchRequest, "replicaId" | "replicaState">, version: number): FetchingBroker | undefined => {
  const [id, brokerEpoch] = version >= replicaStateSince ? [replicaState.replicaId, Number(replicaState.replicaEpoch)] : [replicaId, -1]
  return id >= 0 ? { id, brokerEpoch } : undefined
}

/** One Fetch, full or incremental. It does not keep the partitions of a large request, since it may wait for minutes. */
class Fetching {
  private readonly bytesMin: number
  private readonly hasSessions: boolean
  private readonly owner: string
  private readonly room: ResponseCapacity | undefined
  readonly listener: string | undefined
  readonly broker: FetchingBroker | undefined
  readonly rack: string
  private readonly options: FetchOptions

  constructor(
    byReader: OptionsByReader,
    private request: Omit<FetchRequest, "topics" | "forgottenTopicsData">,
    private readonly version: number,
    session: FetchContext["session"]
  ) {
    this.broker = brokerOf(request, version)
    this.options = this.broker !== undefined ? byReader.replica : version >= followersSince ? byReader.consumer : byReader.leader
    this.rack = this.broker === undefined ? request.rackId : ""
    this.owner = session?.clientHost ?? ""
    this.room = session?.answers
    this.listener = session?.listener
    this.bytesMin = Math.min(request.minBytes, request.maxBytes, this.options.fetchBytesMax)
    this.hasSessions = version >= sessionsSince && this.options.sessions !== undefined
  }

  answer(request: FetchRequest): FetchResult {
    const { sessionEpoch, maxWaitMs } = this.request
    const isWhole = this.version < sessionsSince || sessionEpoch === openingEpoch || sessionEpoch === finalEpoch
    const isWide = sizeOf(request) > partitionsAtOnce
    if (this.room === undefined || maxWaitMs <= 0 || this.room.bytes() > 0) {
      if (!isWhole) return this.incremental(request)
      return isWide ? new Sliced(() => this.wide(request)) : this.whole(topicRequests(request, this.version))
    }
    // No records fit: responses that other clients have not read fill the memory for responses.
    const whenRoom = (begin: () => FetchResult) => within(watchRoom(this.room as ResponseCapacity), maxWaitMs, this.options.deadlines, begin)
    if (!isWhole) return whenRoom(() => this.incremental(request))
    if (!isWide) {
      const topics = topicRequests(request, this.version)
      return whenRoom(() => this.whole(topics))
    }
    return new Sliced(() => this.wideWhenRoom(request, whenRoom))
  }
  private *wideWhenRoom(request: FetchRequest, whenRoom: (begin: () => FetchResult) => FetchResult): Steps<FetchResult> {
    const topics = yield* this.fold(request)
    return whenRoom(() => new Sliced(() => this.wholeInSlices(topics)))
  }

  private pass(): Pass {
    const { isolationLevel, maxBytes } = this.request
    const room = this.room?.bytes() ?? Number.POSITIVE_INFINITY
    const bytesMax = room <= 0 ? -1 : Math.max(0, Math.min(maxBytes, this.options.fetchBytesMax, room))
    return new Pass(this.options, this.version, isolationLevel, bytesMax, this)
  }
  private isEnough({ bytes, bytesMax, failed }: Pass): boolean {
    return failed || bytes >= Math.min(this.bytesMin, bytesMax) || this.request.maxWaitMs <= 0
  }

  /** Closes the session that a full request names. */
  private endFormer(): void {
    const { sessions } = this.options
    const former = this.hasSessions && this.request.sessionId !== 0 ? sessions?.find(this.request.sessionId, this.owner) : undefined
    if (former !== undefined) sessions?.remove(former)
  }

  /** Handles a full request. */
  private whole(topics: ReadonlyArray<TopicRequest>): FetchResult {
    const { deadlines, find } = this.options
    this.endFormer()
    const pass = this.pass()
    const responses = walk(topics, pass)
    if (this.isEnough(pass) || pass.sources.length === 0) return this.wholeResponse(topics, pass, responses)
    return within(watchSources(find, pass.sources, this.bytesMin), this.request.maxWaitMs, deadlines, () => {
      const again = this.pass()
      return this.wholeResponse(topics, again, walk(topics, again))
    })
  }

  /** Handles a full request of so many partitions that they are read in slices. */
  private *wide(request: FetchRequest): Steps<FetchResult> {
    return yield* this.wholeInSlices(yield* this.fold(request))
  }
  private *fold(request: FetchRequest): Steps<ReadonlyArray<TopicRequest>> {
    this.request = { ...request, topics: [], forgottenTopicsData: [] } as typeof this.request
    return yield* folded(request, this.version)
  }
  private *wholeInSlices(topics: ReadonlyArray<TopicRequest>): Steps<FetchResult> {
    const { deadlines, find } = this.options
    this.endFormer()
    const pass = this.pass()
    const responses = yield* walkInSlices(topics, pass)
    if (this.isEnough(pass) || pass.sources.length === 0) return this.wholeResponse(topics, pass, responses)
    const watch = new SourceWatch(find, this.bytesMin)
    let isKept = false
    try {
      yield* visited(pass.sources, (source) => watch.add(source))
      isKept = true
    } finally {
      // The client has disconnected meanwhile.
      if (!isKept) watch.release()
    }
    const again = (): FetchResult => new Sliced(() => this.wideAgain(topics, watch))
    return wideWait(watch, this.request.maxWaitMs, deadlines, again)
  }
  private *wideAgain(topics: ReadonlyArray<TopicRequest>, watch: SourceWatch): Steps<FetchResult> {
    yield* watch.releaseInSlices()
    const pass = this.pass()
    return this.wholeResponse(topics, pass, yield* walkInSlices(topics, pass))
  }

  private wholeResponse(topics: ReadonlyArray<TopicRequest>, { nodeEndpoints }: Pass, responses: ReadonlyArray<TopicResponse>): FetchResponse {
    const opens = this.hasSessions && this.request.sessionEpoch === openingEpoch
    const sessionId = opens ? this.openSession(topics, responses) : 0
    return { errorCode: 0, sessionId, overlaps: sessionId !== 0 && this.broker !== undefined, responses, nodeEndpoints }
  }

  /** Opens a session with the partitions of this request and response. Returns its id; 0 if there is no room for a session. */
  private openSession(topics: ReadonlyArray<TopicRequest>, responses: ReadonlyArray<TopicResponse>): number {
    const { find, sessions } = this.options
    const size = topics.reduce((sum, { partitions }) => sum + partitions.length, 0)
    const session = sessions?.open(this.owner, this.broker !== undefined, this.version >= topicIdsSince, size)
    if (session === undefined) return 0
    // If the request names a partition twice, the last mention counts.
    const answers = new Map<unknown, PartitionResponse>()
    for (const [at, topic] of topics.entries())
      for (const [nth, asked] of topic.partitions.entries())
        answers.set(session.ask(topic, asked), (responses[at] as TopicResponse).partitions[nth] as PartitionResponse)
    const due = session.duePartitions
    session.settle(
      due,
      due.map((partition) => answers.get(partition) as PartitionResponse),
      find,
      false
    )
    return sessions?.grown(session, 0) === true ? session.id : 0
  }

  /** Handles an incremental request. */
  private incremental(request: FetchRequest): FetchResult {
    const session = this.advance()
    if (typeof session === "string") return refused(session)
    const isWide = sizeOf(request) + forgottenOf(request) + session.duePartitions.length > partitionsAtOnce
    if (isWide) return new Sliced(() => this.incrementalInSlices(session, request))
    const steps = this.change(session, request)
    for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return this.changed(session, step.value)
  }
  /** Whether a later request has advanced the session: its client does not wait for this one. */
  private isOvertaken({ epoch }: FetchSession): boolean {
    return epoch !== nextEpoch(this.request.sessionEpoch)
  }
  private changed(session: FetchSession, isThere: "gone" | "empty" | "there"): FetchResult {
    if (isThere !== "there") return withoutSession(isThere)
    if (this.isOvertaken(session)) return overtaken(session)
    const { deadlines, find } = this.options
    const pass = this.pass()
    const answers = walkDue(session.duePartitions, pass)
    if (this.isEnough(pass)) return settled(session, session.duePartitions, pass, answers, this.options)
    const again = (): FetchResult => {
      if (this.isOvertaken(session)) return overtaken(session)
      if (session.duePartitions.length > partitionsAtOnce) return new Sliced(() => this.dueInSlices(session))
      const next = this.pass()
      return settled(session, session.duePartitions, next, walkDue(session.duePartitions, next), this.options)
    }
    return within(watchPartitions(find, session, this.bytesMin), this.request.maxWaitMs, deadlines, again, session.isPrivileged)
  }
  private *incrementalInSlices(session: FetchSession, request: FetchRequest): Steps<FetchResult> {
    const isThere = yield* this.change(session, request)
    if (isThere !== "there") return withoutSession(isThere)
    const due = [...session.duePartitions]
    const pass = this.pass()
    const answers = yield* walkDueInSlices(due, pass)
    if (this.isOvertaken(session)) return overtaken(session)
    if (this.isEnough(pass)) return settled(session, due, pass, answers, this.options)
    return this.changed(session, isThere)
  }
  private *dueInSlices(session: FetchSession): Steps<FetchResult> {
    const due = [...session.duePartitions]
    const pass = this.pass()
    const answers = yield* walkDueInSlices(due, pass)
    // The later request has these records, too.
    return this.isOvertaken(session) ? overtaken(session) : settled(session, due, pass, answers, this.options)
  }

  /** Advances the epoch of the session; returns Kafka's error if it cannot. */
  private advance(): FetchSession | "FETCH_SESSION_ID_NOT_FOUND" | "INVALID_FETCH_SESSION_EPOCH" | "FETCH_SESSION_TOPIC_ID_ERROR" {
    const { sessions } = this.options
    const { sessionEpoch, sessionId } = this.request
    const session = sessions?.find(sessionId, this.owner)
    if (sessions === undefined || session === undefined) return "FETCH_SESSION_ID_NOT_FOUND"
    if (session.epoch !== sessionEpoch) return "INVALID_FETCH_SESSION_EPOCH"
    if (session.usesTopicIds !== this.version >= topicIdsSince) return "FETCH_SESSION_TOPIC_ID_ERROR"
    // At once: while this request changes the session in slices, no other request of the same epoch may.
    session.epoch = nextEpoch(session.epoch)
    // A Fetch of the session that waits is answered now: Kafka gives it the same error, when its wait ends.
    session.waiter?.(undefined)
    sessions.touch(session)
    return session
  }
  /** Adds and removes partitions of the session. The session is then "there", or "gone" because it became too large, or "empty". */
  private *change(session: FetchSession, request: FetchRequest): Steps<"gone" | "empty" | "there"> {
    const { sessions } = this.options
    const before = session.size
    const stride = new Stride()
    for (const topic of sizeOf(request) > partitionsAtOnce ? yield* this.fold(request) : topicRequests(request, this.version))
      for (const each of topic.partitions) {
        session.ask(topic, each)
        if (stride.takes()) yield
      }
    yield* session.forget(request.forgottenTopicsData)
    if (sessions?.grown(session, before) !== true) return "gone"
    if (session.size > 0) return "there"
    sessions.remove(session)
    return "empty"
  }
}

const overtaken = (session: FetchSession): FetchResponse => refused("INVALID_FETCH_SESSION_EPOCH", session.id)

const forgottenOf = ({ forgottenTopicsData }: FetchRequest): number => forgottenTopicsData.reduce((sum, { partitions }) => sum + 1 + partitions.length, 0)

/** The response after the session was closed: it became too large, or the client removed its last partition. */
const withoutSession = (why: "gone" | "empty"): FetchResponse =>
  why === "gone" ? refused("FETCH_SESSION_ID_NOT_FOUND") : { errorCode: 0, sessionId: 0, responses: [] }

/** Makes an incremental response: only partitions with records, errors or changed bounds. */
const settled = (
  session: FetchSession,
  due: ReadonlyArray<SessionPartition>,
  { nodeEndpoints }: Pass,
  answers: ReadonlyArray<PartitionResponse>,
  { find }: FetchOptions
): FetchResponse => {
  const responses: Array<{ readonly topic: string; readonly topicId: string; readonly partitions: Array<PartitionResponse> }> = []
  let last: unknown
  for (let at = 0; at < answers.length; at++) {
    const partition = due[at]
    const answer = answers[at]
    if (partition === undefined || answer === undefined || !partition.isNews(answer)) continue
    const { topic, topicId } = partition.topic
    if (last !== partition.topic) responses.push({ topic, topicId, partitions: [] })
    last = partition.topic
    responses[responses.length - 1]?.partitions.push(answer)
  }
  session.settle(due, answers, find)
  return { errorCode: 0, sessionId: session.id, responses, nodeEndpoints }
}

/**
 * Fetch: returns record batches as they are in the logs, as many as the limits allow, never a part of one.
 * With fewer than `minBytes` and no error it waits for more, at most `maxWaitMs`: only then is the result a Later. While responses that clients have not read fill the
 * memory for responses, it waits for free memory, and returns no records if there is none in time. In the session of a replica the next request of the
 * connection ends the wait: a follower sends it when a log of its own was synced (`overlaps` of the response that opens the session).
 * Errors of a partition: UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, OFFSET_OUT_OF_RANGE,
 * UNSUPPORTED_COMPRESSION_TYPE, KAFKA_STORAGE_ERROR; of the request: INCONSISTENT_CLUSTER_ID, and for sessions (KIP-227) FETCH_SESSION_ID_NOT_FOUND,
 * INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR. Read committed is the same as read uncommitted.
 */
export const fetch = (options: FetchOptions) => {
  const byReader = optionsByReader(options)
  return (request: FetchRequest, { session, version }: FetchContext): FetchResult => {
    const clusterId = options.clusterId()
    if (request.clusterId !== null && clusterId !== undefined && request.clusterId !== clusterId) return refused("INCONSISTENT_CLUSTER_ID")
    return new Fetching(byReader, request, version, session).answer(request)
  }
}
