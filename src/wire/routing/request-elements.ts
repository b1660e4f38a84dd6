/** Of few things: what one client asks for a few objects, and every API that is not in the table. */
const few = 10_000
/** Groups, or their coordinators. */
const groups = 20_000
/** Names of topics, or topics with their settings and replicas. */
const names = 50_000
/** Partitions with their topics: half of all that a cluster can have (`partitionsPerClusterMax`). Clients ask each broker for its own. */
const partitions = 100_000

/** By API key. */
const bounds: Readonly<Record<number, number>> = {
  /* Produce */ 0: partitions,
  /* Fetch */ 1: partitions,
  /* ListOffsets */ 2: partitions,
  /* Metadata */ 3: names,
  /* OffsetCommit */ 8: partitions,
  /* OffsetFetch */ 9: partitions,
  /* FindCoordinator */ 10: groups,
  /* DescribeGroups */ 15: groups,
  /* CreateTopics */ 19: names,
  /* DeleteTopics */ 20: names,
  /* DeleteRecords */ 21: partitions,
  /* OffsetForLeaderEpoch */ 23: partitions,
  /* DescribeConfigs */ 32: names,
  /* AlterConfigs */ 33: names,
  /* DescribeLogDirs */ 35: partitions,
  /* CreatePartitions */ 37: names,
  /* DeleteGroups */ 42: groups,
  /* ElectLeaders */ 43: partitions,
  /* IncrementalAlterConfigs */ 44: names,
  /* AlterPartitionReassignments, with their replicas */ 45: partitions,
  /* ListPartitionReassignments */ 46: partitions,
  /* OffsetDelete */ 47: partitions
}

/**
 * Elements that the arrays of one request may have altogether, tagged fields included. A request with more gets INVALID_REQUEST, or its connection is closed where the response has no error for the whole request. Kafka has no such bound in general. Here it
 * follows from the bounds of a cluster: a larger request names objects that do not exist, or repeats names, and would take memory before its handler sees it.
 */
export const requestElementsMax = (apiKey: number): number => bounds[apiKey] ?? few
