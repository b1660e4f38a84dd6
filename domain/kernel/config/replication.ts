import { hidden } from "./known/family.ts"
import { bool, dynamic, int, long, text, unbounded, withoutDefault } from "./setting.ts"

/** Kafka loads a class; these are the two that it has. */
const selectors = {
  form: {
    pattern: /^((org\.apache\.kafka\.common\.replica\.)?(RackAwareReplicaSelector|LeaderSelector))?$/,
    expected: "RackAwareReplicaSelector, LeaderSelector or nothing"
  }
}

/** Replicas of partitions: how many, how they are copied, and who may lead. */
export const replicas = {
  "default.replication.factor": int(1, 1, "Replicas of each partition of a topic that does not say how many.", 32_767),
  "min.insync.replicas": dynamic(
    int(
      1,
      1,
      "Replicas that must be in sync for acks=all. A value above the number of a partition's replicas counts as that number, as in Kafka. All nodes have one value: the leader stores its own when the cluster is founded, and from then on it is changed for all nodes or for a topic."
    )
  ),
  "unclean.leader.election.enable": dynamic(
    bool(
      false,
      "Whether the leader elects a replica that lacks acknowledged records where no other can lead. Those records are lost; an event (LeaderElectedUncleanly) says so."
    )
  ),
  "replica.lag.time.max.ms": long(30_000, Number.MIN_SAFE_INTEGER, "How long a replica may be behind before it leaves the in-sync set."),
  "num.replica.fetchers": dynamic(int(1, 1, "Connections over which this broker copies from each other broker; a partition keeps to one of them.")),
  "replica.fetch.wait.max.ms": int(500, -2_147_483_648, "How long a replica's fetch waits at its leader for records."),
  "replica.fetch.min.bytes": int(1, -2_147_483_648, "Bytes for which a replica's fetch waits at its leader."),
  "replica.fetch.max.bytes": int(1_048_576, 0, "Bytes that a replica's fetch asks for a partition; a larger first batch is sent all the same."),
  "replica.fetch.response.max.bytes": int(10_485_760, 0, "Bytes that a replica's fetch asks for altogether; a larger first batch is sent all the same."),
  "franz.replica.fetch.overlap": dynamic(
    bool(
      false,
      "Whether this broker has two fetches under way at each leader, where its disk takes a millisecond or more for a sync and the responses are small. A record then waits for the sync of its own log alone, for more fetches and more syncs: it needs a disk and processors that are not busy."
    )
  ),
  "follower.replication.throttled.rate": hidden(
    dynamic(long(unbounded, 0, "Bytes per second that this broker copies for replicas that catch up and are in follower.replication.throttled.replicas."))
  ),
  "leader.replication.throttled.rate": hidden(
    dynamic(long(unbounded, 0, "Bytes per second that replicas that catch up copy from this broker, of partitions in leader.replication.throttled.replicas."))
  ),
  "replica.alter.log.dirs.io.max.bytes.per.second": hidden(
    dynamic(long(unbounded, 0, "Bytes per second that this broker copies, at most, to move logs between its directories; 0 is taken for 1."))
  ),
  "replica.selector.class": withoutDefault({
    ...text(
      "",
      "org.apache.kafka.common.replica.RackAwareReplicaSelector sends consumers to an in-sync replica of their rack (KIP-392); empty: they read from the leader."
    ),
    ...selectors
  }),
  "replica.fetch.backoff.ms": int(1000, 0, "The longest pause after a fetch of a replica that failed; the first one has 50 ms."),
  "replica.high.watermark.checkpoint.interval.ms": long(5000, Number.MIN_SAFE_INTEGER, "How often the high watermarks of replicas are stored."),
  "replica.socket.timeout.ms": int(
    30_000,
    -2_147_483_648,
    "How long a replica waits at most for the response to its fetch before it connects again. It begins with `replica.fetch.wait.max.ms` and half of `broker.session.timeout.ms`."
  )
} as const
