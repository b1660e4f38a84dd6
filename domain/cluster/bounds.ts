/** Partitions that one topic may have, and that one request may add: Kafka's bound for a request. */
export const partitionsPerTopicMax = 10_000
/** Partitions of all topics together: what one leader's memory and one Metadata answer can hold. */
export const partitionsPerClusterMax = 200_000
/** Brokers that may be registered. */
export const brokersMax = 1000
/** Characters of an address's host, of an incarnation id and of a rack. */
export const brokerTextCharactersMax = 255
/** Characters that all settings of a topic or a node may have together, names and values. */
export const configCharactersMax = 65_536
/** Producer ids that a broker gets at a time, as in Kafka. */
export const producerIdBlockSize = 1000
/** The end of the producer ids: an int64 on the wire. */
export const producerIdMax = 9_223_372_036_854_775_807n
