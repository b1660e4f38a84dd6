import { Brand, Schema } from "effect"

/** A topic's name: 1 to 249 of letters, digits, '.', '_' and '-', and neither "." nor "..". */
export const TopicName = Schema.String.pipe(Schema.pattern(/^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/), Schema.brand("TopicName"))
export type TopicName = typeof TopicName.Type
export const isTopicName: (text: string) => text is TopicName = Schema.is(TopicName)

/**
 * A topic's identity: a UUID as Kafka writes it, 22 characters of base64url without padding. Drawn once, never used
 * again for another topic (L10).
 */
export const TopicId = Schema.String.pipe(Schema.pattern(/^[A-Za-z0-9_-]{22}$/), Schema.brand("TopicId"))
export type TopicId = typeof TopicId.Type
/** All bits zero: "no topic id" on the wire. */
export const zeroTopicId = Brand.nominal<TopicId>()("AAAAAAAAAAAAAAAAAAAAAA")

/** A node of the cluster, leader or broker: 0 to 2^31 - 1. */
export const BrokerId = Schema.Int.pipe(Schema.between(0, 0x7fffffff), Schema.brand("BrokerId"))
export type BrokerId = typeof BrokerId.Type

/** A partition's index in its topic, from 0. */
export const PartitionIndex = Schema.Int.pipe(Schema.between(0, 0x7fffffff))
export type PartitionIndex = typeof PartitionIndex.Type

/**
 * The position of a record in its partition, from 0. Held as a number: Kafka's int64 reaches further than 2^53 - 1, but
 * a log does not (at ten million records a second it would need 28 years). A greater offset is refused where a message
 * is decoded, never rounded.
 */
export type Offset = number
/** A leader epoch, partition epoch or controller epoch: rises by one at each change, never falls. */
export type Epoch = number
/** The id that the leader gave to an idempotent producer; -1n where there is none. */
export type ProducerId = bigint
