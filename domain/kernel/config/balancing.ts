import { bool, int, long } from "./setting.ts"

/** How the cluster's leader spreads leaders, and replaces brokers that are lost. */
export const balancing = {
  "auto.leader.rebalance.enable": bool(
    true,
    "Whether the cluster's leader elects preferred leaders by itself where brokers lead fewer partitions than they should."
  ),
  "leader.imbalance.check.interval.seconds": long(
    300,
    1,
    "How often the cluster's leader looks for partitions that other brokers lead than the preferred ones."
  ),
  "leader.imbalance.per.broker.percentage": int(
    10,
    0,
    "Of the partitions that prefer a broker as their leader, the percentage that others may lead before preferred leaders are elected. Kafka 4 has no such setting.",
    100
  ),
  "franz.broker.replacement.delay.ms": long(
    600_000,
    -1,
    "A broker that is fenced for so long is replaced: its replicas move to other brokers, 50 at a time. It counts from the start of the cluster's leader; -1: never."
  )
}
