import type { Rate } from "../kernel/allowance.ts"

/** Partitions that one topic may have, and that one request may add: Kafka's bound for a request. */
export const partitionsPerTopicMax = 10_000
/** Partitions of all topics: as many as the memory of one leader and one Metadata response can hold. */
export const partitionsPerClusterMax = 200_000
/** Brokers that may be registered. */
export const brokersMax = 1000
/**
 * How often a broker with so many replicas may restart, or be unfenced again without a restart. Each time is about 1 KB of events and 70 bytes for each replica, which the journal keeps:
 * it leaves the in-sync sets, other brokers lead, it returns. So a broker that restarts all the time adds 35 KB a second at most. One that changes more often waits, fenced. A broker
 * without replicas has less, so that one alone does not take all of `idleBrokerChanges`.
 */
export const brokerChangesOf = (replicas: number): Rate => ({ burst: 30, everyMs: replicas === 0 ? 10_000 : Math.max(1000, 2 * replicas) })
/**
 * How often brokers that carry no partition may register, all together, and how often they may be unfenced again:
 * invented brokers have a part of what `brokersMax` need.
 */
export const idleBrokerChanges: Rate = { burst: brokersMax, everyMs: 3_000 }
/**
 * How long the leader keeps the registration of a broker that is fenced, has no partition and sends no heartbeat, ms.
 */
export const idleBrokerMs = 600_000
/** Listeners that a broker may have. */
export const brokerListenersMax = 32
/** Log directories that a broker may have. */
export const brokerDirectoriesMax = 1000
/** Replicas that a partition may have: as many as Kafka's replication factor of two bytes can say. */
export const replicationFactorMax = 32_767
/** Characters of an address's host, of an incarnation id and of a rack. */
export const brokerTextCharactersMax = 255
/** Characters that all settings of a topic or a node may have together, names and values. */
export const configCharactersMax = 65_536
/** Characters that the settings of all topics and nodes may have together: every node holds them in memory. */
export const allConfigCharactersMax = 16_777_216
/** Producer ids that a broker gets at a time, as in Kafka, and the most for a broker that soon asks for more. */
export const producerIdBlockSize = 1000
export const producerIdBlockMax = 1_024_000_000
/** The end of the producer ids: an int64 on the wire. */
export const producerIdMax = 9_223_372_036_854_775_807n
