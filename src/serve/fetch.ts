import { errorCode, type KafkaError } from "../../domain/kernel/error-code.ts"
import type { TopicId } from "../../domain/kernel/id.ts"
import type { AnswerRoom } from "../wire/answer-budget.ts"
import type { Later } from "../wire/later.ts"
import type { RequestContext } from "../wire/route.ts"
import type { TopicRef } from "./current-leader.ts"
import type { Deadlines } from "./deadlines.ts"
import { type FetchAnswer, type FetchRequest, type PartitionAnswer, Pass, type PassOptions, type TopicAnswer } from "./fetch-pass.ts"
import { type FetchSession, nextEpoch, topicIdsSince } from "./fetch-session.ts"
import type { FetchSessions } from "./fetch-sessions.ts"
import { watchPartitions, watchRoom, watchSources, within } from "./fetch-wait.ts"

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

type Caller = Pick<RequestContext, "version"> & Partial<Pick<RequestContext, "answers" | "clientHost">>
type Answer = FetchAnswer | Later<FetchAnswer>

const refused = (error: KafkaError, sessionId = 0): FetchAnswer => ({ throttleTimeMs: 0, errorCode: errorCode(error), sessionId, responses: [] })

/** One Fetch, whole or in a session. */
class Fetching {
  private readonly bytesMin: number

  constructor(
    private readonly options: FetchOptions,
    private readonly request: FetchRequest,
    private readonly version: number,
    private readonly owner: string,
    private readonly room: AnswerRoom | undefined
  ) {
    this.bytesMin = Math.min(request.minBytes, request.maxBytes, options.fetchBytesMax)
  }

  answer(): Answer {
    const { sessionEpoch, maxWaitMs } = this.request
    const isWhole = this.version < sessionsSince || sessionEpoch === openingEpoch || sessionEpoch === finalEpoch
    const begin = () => (isWhole ? this.whole() : this.incremental())
    if (this.room === undefined || maxWaitMs <= 0 || this.room.bytes() > 0) return begin()
    // Nobody's records fit: what others have not read fills the memory that is for it.
    return within(watchRoom(this.room), maxWaitMs, this.options.deadlines, begin)
  }

  private pass(): Pass {
    const { isolationLevel, maxBytes } = this.request
    const room = this.room?.bytes() ?? Number.POSITIVE_INFINITY
    return new Pass(this.options, this.version, isolationLevel, room <= 0 ? -1 : Math.max(0, Math.min(maxBytes, this.options.fetchBytesMax, room)))
  }
  private isEnough({ bytes, bytesMax, failed }: Pass): boolean {
    return failed || bytes >= Math.min(this.bytesMin, bytesMax) || this.request.maxWaitMs <= 0
  }

  /** A request that says everything it wants. */
  private whole(): Answer {
    const { deadlines, find, sessions } = this.options
    const { sessionEpoch, sessionId, maxWaitMs } = this.request
    const hasSessions = this.version >= sessionsSince && sessions !== undefined
    if (hasSessions && sessionId !== 0) {
      const former = sessions.find(sessionId, this.owner)
      if (former !== undefined) sessions.remove(former)
    }
    const opens = hasSessions && sessionEpoch === openingEpoch
    const pass = this.pass()
    const responses = this.walk(pass)
    if (this.isEnough(pass) || pass.sources.length === 0) return this.wholeAnswer(pass, responses, opens)
    return within(watchSources(find, pass.sources, this.bytesMin), maxWaitMs, deadlines, () => {
      const again = this.pass()
      return this.wholeAnswer(again, this.walk(again), opens)
    })
  }

  private walk(pass: Pass): ReadonlyArray<TopicAnswer> {
    return this.request.topics.map(({ topic, topicId, partitions }) => {
      const ref: TopicRef = this.version >= topicIdsSince ? { topicId: topicId as TopicId } : { name: topic }
      return {
        topic,
        topicId,
        partitions: partitions.map(({ currentLeaderEpoch, fetchOffset, partition, partitionMaxBytes }) =>
          pass.take({ ref, index: partition, from: Number(fetchOffset), bytesMax: partitionMaxBytes, epoch: currentLeaderEpoch })
        )
      }
    })
  }

  private wholeAnswer({ nodeEndpoints }: Pass, responses: ReadonlyArray<TopicAnswer>, opens: boolean): FetchAnswer {
    const sessionId = opens ? this.openSession(responses) : 0
    return { throttleTimeMs: 0, errorCode: 0, sessionId, responses, nodeEndpoints }
  }

  /** A session that holds what was asked and answered just now; 0 where there is no place for one. */
  private openSession(responses: ReadonlyArray<TopicAnswer>): number {
    const { find, sessions } = this.options
    const { replicaId, replicaState, topics } = this.request
    const size = topics.reduce((sum, { partitions }) => sum + partitions.length, 0)
    const isReplica = (this.version >= 15 ? replicaState.replicaId : replicaId) >= 0
    const session = sessions?.open(this.owner, isReplica, this.version >= topicIdsSince, size)
    if (session === undefined) return 0
    // Of a partition that is named twice the last word counts.
    const answers = new Map<unknown, PartitionAnswer>()
    for (const [at, topic] of topics.entries())
      for (const [nth, asked] of topic.partitions.entries())
        answers.set(session.ask(topic, asked), (responses[at] as TopicAnswer).partitions[nth] as PartitionAnswer)
    session.settle(
      session.duePartitions.map((partition) => answers.get(partition) as PartitionAnswer),
      find,
      false
    )
    return sessions?.grown(session, 0) === true ? session.id : 0
  }

  /** A request that says what is to be changed of its session. */
  private incremental(): Answer {
    const { deadlines, find } = this.options
    const session = this.advance()
    if (typeof session === "string") return refused(session)
    // Everything was forgotten: there is no session any more, and nothing to answer.
    if (session === undefined) return { throttleTimeMs: 0, errorCode: 0, sessionId: 0, responses: [] }
    const pass = this.pass()
    const answers = walkSession(session, pass)
    if (this.isEnough(pass)) return settled(session, pass, answers, this.options)
    const epoch = session.epoch
    return within(watchPartitions(find, session, this.bytesMin), this.request.maxWaitMs, deadlines, () => {
      // Another request has taken the session further: who waited for this one has left.
      if (session.epoch !== epoch) return refused("INVALID_FETCH_SESSION_EPOCH", session.id)
      const again = this.pass()
      return settled(session, again, walkSession(session, again), this.options)
    })
  }

  /** Takes the session a step further; or why not, in Kafka's words. Undefined for one that has nothing left. */
  private advance(): FetchSession | undefined | "FETCH_SESSION_ID_NOT_FOUND" | "INVALID_FETCH_SESSION_EPOCH" | "FETCH_SESSION_TOPIC_ID_ERROR" {
    const { sessions } = this.options
    const { forgottenTopicsData, sessionEpoch, sessionId, topics } = this.request
    const session = sessions?.find(sessionId, this.owner)
    if (sessions === undefined || session === undefined) return "FETCH_SESSION_ID_NOT_FOUND"
    if (session.epoch !== sessionEpoch) return "INVALID_FETCH_SESSION_EPOCH"
    if (session.usesTopicIds !== this.version >= topicIdsSince) return "FETCH_SESSION_TOPIC_ID_ERROR"
    const before = session.size
    for (const topic of topics) for (const asked of topic.partitions) session.ask(topic, asked)
    session.forget(forgottenTopicsData)
    if (!sessions.grown(session, before)) return "FETCH_SESSION_ID_NOT_FOUND"
    if (session.size === 0) {
      sessions.remove(session)
      return undefined
    }
    sessions.touch(session)
    session.epoch = nextEpoch(session.epoch)
    return session
  }
}

/** Partitions that are still looked at when an answer is full: their errors need not wait, and what waits comes first in the next. */
const looksPastFullMax = 1000

/** The answers of the due partitions, in their order; of the first ones only, where the answer is full before. */
const walkSession = (session: FetchSession, pass: Pass): ReadonlyArray<PartitionAnswer> => {
  const answers: Array<PartitionAnswer> = []
  let past = 0
  for (const partition of session.duePartitions) {
    if (pass.isFull && past++ >= looksPastFullMax) break
    answers.push(pass.take(partition))
  }
  return answers
}

/** What an incremental answer says: only what is news. */
const settled = (session: FetchSession, { nodeEndpoints }: Pass, answers: ReadonlyArray<PartitionAnswer>, { find }: FetchOptions): FetchAnswer => {
  const responses: Array<{ readonly topic: string; readonly topicId: string; readonly partitions: Array<PartitionAnswer> }> = []
  let last: unknown
  const due = session.duePartitions
  for (let at = 0; at < answers.length; at++) {
    const partition = due[at]
    const answer = answers[at]
    if (partition === undefined || answer === undefined || !partition.isNews(answer)) continue
    const { topic, topicId } = partition.topic
    if (last !== partition.topic) responses.push({ topic, topicId, partitions: [] })
    last = partition.topic
    responses[responses.length - 1]?.partitions.push(answer)
  }
  session.settle(answers, find)
  return { throttleTimeMs: 0, errorCode: 0, sessionId: session.id, responses, nodeEndpoints }
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
  (request: FetchRequest, { answers, clientHost = "", version }: Caller): Answer => {
    const clusterId = options.clusterId()
    if (request.clusterId !== null && clusterId !== undefined && request.clusterId !== clusterId) return refused("INCONSISTENT_CLUSTER_ID")
    return new Fetching(options, request, version, clientHost, answers).answer()
  }
