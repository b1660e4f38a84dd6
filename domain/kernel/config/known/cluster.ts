import { unbounded, withoutDefault } from "../setting.ts"
import { bools, family, hidden, ints, lists, longs, perBroker } from "./family.ts"

/** Kafka's controller quorum. */
export const quorum = family("Configures Kafka's controller quorum. It has no effect here: the leader is one process (docs/skipped.md).", {
  "controller.performance.always.log.threshold.ms": hidden(longs(2000, 0)),
  "controller.performance.sample.period.ms": hidden(longs(60_000, 100)),
  "controller.quorum.append.linger.ms": ints(25, 0),
  "controller.quorum.auto.join.enable": bools(false),
  "controller.quorum.election.backoff.max.ms": ints(1000, 0),
  "controller.quorum.election.timeout.ms": ints(1000, 0),
  "controller.quorum.fetch.max.bytes": ints(1_048_576, 1),
  "controller.quorum.fetch.snapshot.max.bytes": ints(1_048_576, 1),
  "controller.quorum.fetch.timeout.ms": ints(2000, 0),
  "controller.quorum.request.timeout.ms": ints(2000, 0),
  "controller.quorum.retry.backoff.ms": ints(20, 0),
  "controller.quota.window.num": ints(11, 1),
  "controller.quota.window.size.seconds": ints(1, 1),
  "initial.broker.registration.timeout.ms": ints(60_000),
  "internal.metadata.delete.delay.millis": hidden(longs(60_000)),
  "internal.metadata.log.segment.bytes": hidden(withoutDefault(ints(0))),
  "internal.metadata.max.batch.size.in.bytes": hidden(ints(8_388_608)),
  "metadata.log.max.snapshot.interval.ms": longs(3_600_000, 0),
  "metadata.log.segment.bytes": ints(1_073_741_824, 8_388_608),
  "metadata.log.segment.ms": longs(604_800_000),
  "metadata.max.idle.interval.ms": ints(500, 0),
  "server.max.startup.time.ms": hidden(longs(unbounded, 0)),
  "unstable.api.versions.enable": hidden(bools(false)),
  "unstable.feature.versions.enable": hidden(bools(false))
})

/** Replication and leader election, as far as it has no effect. */
export const replication = family("Configures replication and leader election. It has no effect here (docs/skipped.md).", {
  "alter.log.dirs.replication.quota.window.num": ints(11, 1),
  "alter.log.dirs.replication.quota.window.size.seconds": ints(1, 1),
  "controlled.shutdown.enable": bools(true),
  "cordoned.log.dirs": perBroker(lists("")),
  "num.replica.alter.log.dirs.threads": withoutDefault(ints(0)),
  "replica.socket.receive.buffer.bytes": ints(65_536),
  "replication.quota.window.num": ints(11, 1),
  "replication.quota.window.size.seconds": ints(1, 1),
  "unclean.leader.election.interval.ms": hidden(longs(300_000, 1))
})
