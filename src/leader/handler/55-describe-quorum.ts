import { Clock, Effect, HashMap } from "effect"
import { metadataTopic } from "../../../domain/cluster/topic/name.ts"
import { errorCode, errorText } from "../../../domain/kernel/error-code.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import { DescribeQuorum } from "../../protocol/message/55-describe-quorum.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import type { LeaderContext } from "../context.ts"

type Request = RequestOf<typeof DescribeQuorum>
type Response = ResponseDraft<typeof DescribeQuorum>
type Partition = Response["topics"][number]["partitions"][number]
type Replica = Partition["currentVoters"][number]

const replicaOf = (replicaId: number, endOffset: number, fetchedAt: number, caughtUpAt: number): Replica => ({
  replicaId,
  logEndOffset: BigInt(endOffset),
  lastFetchTimestamp: BigInt(fetchedAt),
  lastCaughtUpTimestamp: BigInt(caughtUpAt)
})

/** The brokers apart from the leader's own, by rising id. */
const observersOf = ({ brokers: { observers }, nodeId, writer }: LeaderContext["Type"]): ReadonlyArray<Replica> =>
  [...HashMap.keys(writer.state().brokers)]
    .filter((id: BrokerId) => id !== nodeId)
    .sort((one, other) => one - other)
    .map((id) => {
      const last = observers.of(id)
      return last === undefined ? replicaOf(id, -1, -1, -1) : replicaOf(id, last.endOffset, last.heartbeatAt, last.caughtUpAt)
    })

/** The candidates that stand by, whatever leads this cluster at the time of their last reports. */
const standingBy = ({ candidates, nodeId }: LeaderContext["Type"]) => candidates.list().filter((candidate) => candidate.nodeId !== nodeId)

const journal = (leader: LeaderContext["Type"], now: number): Partition => {
  const { nodeId, writer } = leader
  const end = writer.state().index
  return {
    partitionIndex: 0,
    errorCode: 0,
    errorMessage: null,
    leaderId: nodeId,
    leaderEpoch: writer.epoch,
    highWatermark: BigInt(end),
    currentVoters: [
      replicaOf(nodeId, end, now, now),
      ...standingBy(leader).map((each) => replicaOf(each.nodeId, each.endOffset, each.reportedAt, each.caughtUpAt))
    ],
    observers: observersOf(leader)
  }
}

const unknown = (partitionIndex: number): Partition => ({
  partitionIndex,
  errorCode: errorCode("UNKNOWN_TOPIC_OR_PARTITION"),
  errorMessage: errorText("UNKNOWN_TOPIC_OR_PARTITION"),
  leaderId: 0,
  leaderEpoch: 0,
  highWatermark: 0n,
  currentVoters: [],
  observers: []
})

/** Only a request for the one partition of the journal, and for nothing else, has an answer, as in Kafka. */
const asksForJournal = ({ topics: [topic, ...others] }: Request): boolean =>
  others.length === 0 && topic?.topicName === metadataTopic && topic.partitions.length === 1 && topic.partitions[0]?.partitionIndex === 0

/** From this version on the answer tells where the voters are. */
const nodesSince = 2

const describe = (leader: LeaderContext["Type"], request: Request, version: number, now: number): Response => {
  if (!asksForJournal(request)) {
    const topics = request.topics.map(({ partitions, topicName }) => ({
      topicName,
      partitions: partitions.map(({ partitionIndex }) => unknown(partitionIndex))
    }))
    return { errorCode: 0, errorMessage: null, topics }
  }
  const { leader: elected } = leader.writer.state()
  const voters =
    elected === undefined
      ? []
      : [
          { nodeId: elected.nodeId, listeners: [{ name: "PLAINTEXT", host: elected.host, port: elected.port }] },
          ...standingBy(leader).map(({ listeners, nodeId }) => ({ nodeId, listeners }))
        ]
  const nodes = version < nodesSince ? [] : voters
  return { errorCode: 0, errorMessage: null, topics: [{ topicName: metadataTopic, partitions: [journal(leader, now)] }], nodes }
}

/**
 * DescribeQuorum 0-2 (KIP-595, KIP-836): the leader's journal as Kafka's tools see a metadata quorum. Its voters are the leader and the
 * candidates that stand by, with the offset and the time of their last report (every second). The brokers are observers, with the offset and the
 * time of their last heartbeat (every `broker.heartbeat.interval.ms`); -1 for a broker that has not sent this leader a heartbeat yet. UNKNOWN_TOPIC_OR_PARTITION for any other partition.
 */
export const describeQuorum = (leader: LeaderContext["Type"]): Route =>
  route(DescribeQuorum, {}, (request, { version }) => Effect.map(Clock.currentTimeMillis, (now) => describe(leader, request, version, now)))
