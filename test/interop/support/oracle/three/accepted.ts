import type { Accepted } from "../accepted.ts"

/** The differences of a cluster of three nodes that stay; the group of cases begins with "Three nodes". */
export const acceptedOfThree: ReadonlyArray<Accepted> = [
  { at: /^Three nodes: .*errorMessage$/, ours: /^"a sentence"$/, kafkas: /^(null|"")$/, why: "A refusal says why, where Kafka gives the code alone." },
  {
    at: /^Three nodes: stopped\/.*\.logStartOffset$/,
    ours: /^-1$/,
    kafkas: /^\d+$/,
    why: "An error tells no start of the log. Clients read it with UNKNOWN_PRODUCER_ID alone, which is never sent."
  },
  {
    at: /^Three nodes: strangers\/(no replica of it|no broker) \{\}\..*errorCode$/,
    ours: /FENCED_LEADER_EPOCH/,
    kafkas: /NOT_LEADER_OR_FOLLOWER/,
    why: "A replica names the leader epoch under which it follows; a fetch that names none is refused as one of an old epoch."
  },
  {
    at: /^Three nodes: epochs\/at a follower, current 5\..*errorCode$/,
    ours: /NOT_LEADER_OR_FOLLOWER/,
    kafkas: /UNKNOWN_LEADER_EPOCH/,
    why: "A broker that does not lead the partition says so, whatever epoch the consumer knows; Kafka compares epochs first. The consumer asks for metadata in both cases."
  },
  {
    at: /^Three nodes: slow moves\/a partition more, under way\..*error(Code|Message)$/,
    ours: /NONE|null/,
    kafkas: /INVALID_REPLICA_ASSIGNMENT|a sentence/,
    why: "A new partition has as many replicas as the topic has when its moves have ended; Kafka counts those that a move adds and has not removed yet."
  },
  {
    at: /^Three nodes: brokers' requests\/in-sync set by .*errorCode$/,
    ours: /CLUSTER_AUTHORIZATION_FAILED/,
    kafkas: /STALE_BROKER_EPOCH/,
    why: "In-sync sets are changed on the connection on which the broker has registered, and on no other."
  },
  {
    at: /^Three nodes: stopped\/.*\.(isrNodes|eligibleLeaderReplicas)$/,
    ours: /^\[3?\]$/,
    kafkas: /^\[3?\]$/,
    why: "The only replica of a partition stays in sync while its broker is stopped; Kafka moves it to the eligible replicas, from which it is elected in the same way."
  },
  { at: /^Three nodes: stopped\/.*\.lastKnownElr$/, ours: /^\[\]$/, why: "No election uses the last known leader, so it is not kept." },
  {
    at: /^Three nodes: stopped\/one stopped: to the stopped one\..*errorCode$/,
    ours: /INVALID_REPLICA_ASSIGNMENT/,
    kafkas: /NONE/,
    why: "A move to a broker that is fenced is refused, since it could not end; Kafka begins it."
  }
]
