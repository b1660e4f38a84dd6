import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { Later } from "../../wire/later.ts"
import type { ResponseCapacity } from "../../wire/memory/answer-budget.ts"
import type { RequestContext } from "../../wire/route.ts"
import type { Session } from "../../wire/session.ts"
import { Sliced, type Steps, Stride, visited } from "../../wire/sliced.ts"
import type { Deadlines } from "../deadlines.ts"
import { type FetchAnswer, type FetchRequest, type PartitionAnswer, Pass, type PassOptions, type TopicAnswer } from "./fetch-pass.ts"
import { type FetchSession, nextEpoch, type SessionPartition, topicIdsSince } from "./fetch-session.ts"
import type { FetchSessions } from "./fetch-sessions.ts"
import { SourceWatch, watchPartitions, watchRoom, watchSources, wideWait, within } from "./fetch-wait.ts"
import { folded, partitionsAtOnce, sizeOf, type WantedTopic, walk, walkDue, walkDueInSlices, walkInSlices, wanted } from "./fetch-wide.ts"

export interface FetchOptions extends PassOptions {
  /** The cluster this node belongs to, as soon as it knows: a fetch that names another is refused. */
  readonly clusterId: () => string | undefined
  /** Bytes of records in one answer, whatever the client allows (`fetch.max.bytes`); one batch is always given. */
  readonly fetchBytesMax: number
  /** Ends waits. */
  readonly deadlines: Deadlines
  /** Without it no sessions are given. */
  readonly sessions?: FetchSessions
}

/** From this version on there are sessions (KIP-227). */
const sessionsSince = 7
/** The epoch of a request that says everything it wants, and wants a session for the next. */
const openingEpoch = 0
/** The epoch of one that says everything and wants none. */
const finalEpoch = -1

/** What a Fetch needs of its request context. */
type Asker = Pick<RequestContext, "version"> & { readonly session?: Pick<Session, "answers" | "clientHost" | "listener"> }
type Answer = FetchAnswer | Later<Answer> | Sliced<Answer>

const refused = (error: KafkaError, sessionId = 0): FetchAnswer => ({ errorCode: errorCode(error), sessionId, responses: [] })

/** One Fetch, whole or in a session. What a large one names is passed on, and not kept: it may wait for minutes. */
class Fetching {
  private readonly bytesMin: number
  private readonly hasSessions: boolean
  private readonly owner: string
  private readonly room: ResponseCapacity | undefined
  private readonly listener: string | undefined

  constructor(
    private readonly options: FetchOptions,
    private request: Omit<FetchRequest, "topics" | "forgottenTopicsData">,
    private readonly version: number,
    session: Asker["session"]
  ) {
    this.owner = session?.clientHost ?? ""
    this.room = session?.answers
    this.listener = session?.listener
    this.bytesMin = Math.min(request.minBytes, request.maxBytes, options.fetchBytesMax)
    this.hasSessions = version >= sessionsSince && options.sessions !== undefined
  }

  answer(request: FetchRequest): Answer {
    const { sessionEpoch, maxWaitMs } = this.request
    const isWhole = this.version < sessionsSince || sessionEpoch === openingEpoch || sessionEpoch === finalEpoch
    const isWide = sizeOf(request) > partitionsAtOnce
    if (this.room === undefined || maxWaitMs <= 0 || this.room.bytes() > 0) {
      if (!isWhole) return this.incremental(request)
      return isWide ? new Sliced(() => this.wide(request)) : this.whole(wanted(request, this.version))
    }
    // No records fit: responses that other clients have not read fill the memory for responses.
    const whenRoom = (begin: () => Answer) => within(watchRoom(this.room as ResponseCapacity), maxWaitMs, this.options.deadlines, begin)
    if (!isWhole) return whenRoom(() => this.incremental(request))
    if (!isWide) {
      const topics = wanted(request, this.version)
      return whenRoom(() => this.whole(topics))
    }
    return new Sliced(() => this.wideWhenRoom(request, whenRoom))
  }
  private *wideWhenRoom(request: FetchRequest, whenRoom: (begin: () => Answer) => Answer): Steps<Answer> {
    const topics = yield* this.fold(request)
    return whenRoom(() => new Sliced(() => this.wholeInSlices(topics)))
  }

  private pass(): Pass {
    const { isolationLevel, maxBytes } = this.request
    const room = this.room?.bytes() ?? Number.POSITIVE_INFINITY
    const bytesMax = room <= 0 ? -1 : Math.max(0, Math.min(maxBytes, this.options.fetchBytesMax, room))
    return new Pass(this.options, this.version, isolationLevel, bytesMax, this.listener)
  }
  private isEnough({ bytes, bytesMax, failed }: Pass): boolean {
    return failed || bytes >= Math.min(this.bytesMin, bytesMax) || this.request.maxWaitMs <= 0
  }

  /** A request that says everything it wants ends the session that it names. */
  private endFormer(): void {
    const { sessions } = this.options
    const former = this.hasSessions && this.request.sessionId !== 0 ? sessions?.find(this.request.sessionId, this.owner) : undefined
    if (former !== undefined) sessions?.remove(former)
  }

  /** A request that says everything it wants. */
  private whole(topics: ReadonlyArray<WantedTopic>): Answer {
    const { deadlines, find } = this.options
    this.endFormer()
    const pass = this.pass()
    const responses = walk(topics, pass)
    if (this.isEnough(pass) || pass.sources.length === 0) return this.wholeAnswer(topics, pass, responses)
    return within(watchSources(find, pass.sources, this.bytesMin), this.request.maxWaitMs, deadlines, () => {
      const again = this.pass()
      return this.wholeAnswer(topics, again, walk(topics, again))
    })
  }

  /** The same of so many partitions that they are looked at in slices. */
  private *wide(request: FetchRequest): Steps<Answer> {
    return yield* this.wholeInSlices(yield* this.fold(request))
  }
  private *fold(request: FetchRequest): Steps<ReadonlyArray<WantedTopic>> {
    this.request = { ...request, topics: [], forgottenTopicsData: [] } as typeof this.request
    return yield* folded(request, this.version)
  }
  private *wholeInSlices(topics: ReadonlyArray<WantedTopic>): Steps<Answer> {
    const { deadlines, find } = this.options
    this.endFormer()
    const pass = this.pass()
    const responses = yield* walkInSlices(topics, pass)
    if (this.isEnough(pass) || pass.sources.length === 0) return this.wholeAnswer(topics, pass, responses)
    const watch = new SourceWatch(find, this.bytesMin)
    let isKept = false
    try {
      yield* visited(pass.sources, (source) => watch.add(source))
      isKept = true
    } finally {
      // The client has left meanwhile.
      if (!isKept) watch.release()
    }
    const again = (): Answer => new Sliced(() => this.wideAgain(topics, watch))
    return wideWait(watch, this.request.maxWaitMs, deadlines, again)
  }
  private *wideAgain(topics: ReadonlyArray<WantedTopic>, watch: SourceWatch): Steps<Answer> {
    yield* watch.releaseInSlices()
    const pass = this.pass()
    return this.wholeAnswer(topics, pass, yield* walkInSlices(topics, pass))
  }

  private wholeAnswer(topics: ReadonlyArray<WantedTopic>, { nodeEndpoints }: Pass, responses: ReadonlyArray<TopicAnswer>): FetchAnswer {
    const opens = this.hasSessions && this.request.sessionEpoch === openingEpoch
    const sessionId = opens ? this.openSession(topics, responses) : 0
    return { errorCode: 0, sessionId, responses, nodeEndpoints }
  }

  /** A session that holds what was asked and answered just now; 0 where there is no place for one. */
  private openSession(topics: ReadonlyArray<WantedTopic>, responses: ReadonlyArray<TopicAnswer>): number {
    const { find, sessions } = this.options
    const { replicaId, replicaState } = this.request
    const size = topics.reduce((sum, { partitions }) => sum + partitions.length, 0)
    const isReplica = (this.version >= 15 ? replicaState.replicaId : replicaId) >= 0
    const session = sessions?.open(this.owner, isReplica, this.version >= topicIdsSince, size)
    if (session === undefined) return 0
    // Of a partition that is named twice the last word counts.
    const answers = new Map<unknown, PartitionAnswer>()
    for (const [at, topic] of topics.entries())
      for (const [nth, asked] of topic.partitions.entries())
        answers.set(session.ask(topic, asked), (responses[at] as TopicAnswer).partitions[nth] as PartitionAnswer)
    const due = session.duePartitions
    session.settle(
      due,
      due.map((partition) => answers.get(partition) as PartitionAnswer),
      find,
      false
    )
    return sessions?.grown(session, 0) === true ? session.id : 0
  }

  /** A request that says what is to be changed of its session. */
  private incremental(request: FetchRequest): Answer {
    const session = this.advance()
    if (typeof session === "string") return refused(session)
    const isWide = sizeOf(request) + forgottenOf(request) + session.duePartitions.length > partitionsAtOnce
    if (isWide) return new Sliced(() => this.incrementalInSlices(session, request))
    const steps = this.change(session, request)
    for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return this.changed(session, step.value)
  }
  private changed(session: FetchSession, isThere: "gone" | "empty" | "there"): Answer {
    if (isThere !== "there") return withoutSession(isThere)
    const { deadlines, find } = this.options
    const pass = this.pass()
    const answers = walkDue(session.duePartitions, pass)
    if (this.isEnough(pass)) return settled(session, session.duePartitions, pass, answers, this.options)
    const epoch = session.epoch
    return within(watchPartitions(find, session, this.bytesMin), this.request.maxWaitMs, deadlines, () => {
      // Another request has taken the session further: who waited for this one has left.
      if (session.epoch !== epoch) return refused("INVALID_FETCH_SESSION_EPOCH", session.id)
      if (session.duePartitions.length > partitionsAtOnce) return new Sliced(() => this.dueInSlices(session))
      const again = this.pass()
      return settled(session, session.duePartitions, again, walkDue(session.duePartitions, again), this.options)
    })
  }
  private *incrementalInSlices(session: FetchSession, request: FetchRequest): Steps<Answer> {
    const isThere = yield* this.change(session, request)
    if (isThere !== "there") return withoutSession(isThere)
    const due = [...session.duePartitions]
    const pass = this.pass()
    const answers = yield* walkDueInSlices(due, pass)
    if (this.isEnough(pass)) return settled(session, due, pass, answers, this.options)
    return this.changed(session, isThere)
  }
  private *dueInSlices(session: FetchSession): Steps<Answer> {
    const due = [...session.duePartitions]
    const pass = this.pass()
    return settled(session, due, pass, yield* walkDueInSlices(due, pass), this.options)
  }

  /** Takes the session a step further; or why not, in Kafka's words. */
  private advance(): FetchSession | "FETCH_SESSION_ID_NOT_FOUND" | "INVALID_FETCH_SESSION_EPOCH" | "FETCH_SESSION_TOPIC_ID_ERROR" {
    const { sessions } = this.options
    const { sessionEpoch, sessionId } = this.request
    const session = sessions?.find(sessionId, this.owner)
    if (sessions === undefined || session === undefined) return "FETCH_SESSION_ID_NOT_FOUND"
    if (session.epoch !== sessionEpoch) return "INVALID_FETCH_SESSION_EPOCH"
    if (session.usesTopicIds !== this.version >= topicIdsSince) return "FETCH_SESSION_TOPIC_ID_ERROR"
    // At once: while this request changes the session in slices, no other of its epoch may.
    session.epoch = nextEpoch(session.epoch)
    sessions.touch(session)
    return session
  }
  /** Changes what the session asks for: then it is there, or it has become too large and is gone, or has nothing left. */
  private *change(session: FetchSession, request: FetchRequest): Steps<"gone" | "empty" | "there"> {
    const { sessions } = this.options
    const before = session.size
    const stride = new Stride()
    for (const topic of sizeOf(request) > partitionsAtOnce ? yield* this.fold(request) : wanted(request, this.version))
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

const forgottenOf = ({ forgottenTopicsData }: FetchRequest): number => forgottenTopicsData.reduce((sum, { partitions }) => sum + 1 + partitions.length, 0)

/** Where everything was forgotten there is no session any more, and nothing to answer. */
const withoutSession = (why: "gone" | "empty"): FetchAnswer =>
  why === "gone" ? refused("FETCH_SESSION_ID_NOT_FOUND") : { errorCode: 0, sessionId: 0, responses: [] }

/** What an incremental answer says: only what is news. */
const settled = (
  session: FetchSession,
  due: ReadonlyArray<SessionPartition>,
  { nodeEndpoints }: Pass,
  answers: ReadonlyArray<PartitionAnswer>,
  { find }: FetchOptions
): FetchAnswer => {
  const responses: Array<{ readonly topic: string; readonly topicId: string; readonly partitions: Array<PartitionAnswer> }> = []
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
 * Fetch: record batches as they lie in the logs, as many as the limits allow, never a part of one.
 * With fewer than `minBytes` there and no error it waits for more, at most `maxWaitMs`: then, and only then, the answer is a Later. Where the memory for answers that
 * nobody reads is full it waits for room, and gives no records if none comes.
 * Errors of a partition: UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, OFFSET_OUT_OF_RANGE,
 * UNSUPPORTED_COMPRESSION_TYPE, KAFKA_STORAGE_ERROR; of the request: INCONSISTENT_CLUSTER_ID, and for sessions (KIP-227) FETCH_SESSION_ID_NOT_FOUND,
 * INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR. Read committed is the same as read uncommitted.
 */
export const fetch =
  (options: FetchOptions) =>
  (request: FetchRequest, { session, version }: Asker): Answer => {
    const clusterId = options.clusterId()
    if (request.clusterId !== null && clusterId !== undefined && request.clusterId !== clusterId) return refused("INCONSISTENT_CLUSTER_ID")
    return new Fetching(options, request, version, session).answer(request)
  }
