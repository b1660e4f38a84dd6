import { Data } from "effect"
import { errorText, isRetriable, type KafkaError } from "../../domain/kernel/error-code.ts"

/**
 * What can go wrong, one class for each thing that a user may act on. `retriable` says whether the same call may succeed later, when nothing but time has passed:
 * the client has already tried again within its own bounds when an error reaches the user.
 */

/** No node answers at these addresses, or the connection broke each time before an answer came. */
export class NotReachable extends Data.TaggedError("NotReachable")<{ readonly addresses: ReadonlyArray<string>; readonly reason: string }> {
  readonly retriable = true as const
  override get message() {
    return `Nobody answers at ${this.addresses.join(", ")}: ${this.reason}`
  }
}
/** An address that is no `HOST:PORT`. */
export class InvalidAddress extends Data.TaggedError("InvalidAddress")<{ readonly address: string }> {
  readonly retriable = false as const
  override get message() {
    return `'${this.address}' is not an address: expected HOST:PORT, as in 127.0.0.1:9092.`
  }
}
/** An answer did not come within `timeoutMs`; whether the request was carried out is not known. */
export class RequestTimedOut extends Data.TaggedError("RequestTimedOut")<{ readonly what: string; readonly timeoutMs: number; readonly reason: string }> {
  readonly retriable = true as const
  override get message() {
    return `${this.what} did not finish within ${this.timeoutMs} ms: ${this.reason}`
  }
}
/** A node's answer is larger than the client takes. It is not asked again: the answer would be the same. */
export class AnswerTooLarge extends Data.TaggedError("AnswerTooLarge")<{
  readonly address: string
  readonly what: string
  readonly sizeBytes: number
  readonly bytesMax: number
}> {
  readonly retriable = false as const
  override get message() {
    return `${this.what}: the answer of ${this.address} has ${this.sizeBytes} bytes, over responseBytesMax=${this.bytesMax}.`
  }
}
/** The cluster's version lacks the request that is needed. */
export class UnsupportedByCluster extends Data.TaggedError("UnsupportedByCluster")<{ readonly what: string }> {
  readonly retriable = false as const
  override get message() {
    return `The cluster does not know ${this.what}.`
  }
}
/** An answer of Kafka's that has no class of its own here. */
export class KafkaFailure extends Data.TaggedError("KafkaFailure")<{ readonly error: KafkaError; readonly what: string; readonly detail: string | null }> {
  get retriable(): boolean {
    return isRetriable(this.error)
  }
  override get message() {
    return `${this.what}: ${this.detail ? this.detail : errorText(this.error)} (${this.error})`
  }
}
/** The producer, consumer or admin was closed. */
export class Closed extends Data.TaggedError("Closed")<{ readonly what: string }> {
  readonly retriable = false as const
  override get message() {
    return `The ${this.what} is closed.`
  }
}
/** A call got an argument that it cannot use. Nothing was done; other calls are not affected. */
export class InvalidArgument extends Data.TaggedError("InvalidArgument")<{
  /** The call, as `sendMessage`. */
  readonly call: string
  /** Path of the argument, as `options.lingerMs`. */
  readonly field: string
  /** What was given, in words of at most about 80 characters. */
  readonly given: string
  readonly allowed: string
}> {
  readonly retriable = false as const
  override get message() {
    return `${this.call}: ${this.field} is ${this.given}; allowed: ${this.allowed}.`
  }
}
/**
 * A part of the client failed by a defect, which is a bug of the library. The part was started again, and its other users go on. The defect itself is in the log.
 */
export class ClientDefect extends Data.TaggedError("ClientDefect")<{ readonly part: string; readonly reason: string }> {
  readonly retriable = true as const
  override get message() {
    return `The client's ${this.part} failed by a defect and was started again: ${this.reason}`
  }
}
/** What goes wrong on the way to a node, whatever was asked. */
export type CallError = NotReachable | RequestTimedOut | AnswerTooLarge | UnsupportedByCluster | KafkaFailure

export class TopicExists extends Data.TaggedError("TopicExists")<{ readonly topic: string }> {
  readonly retriable = false as const
  override get message() {
    return `The topic '${this.topic}' exists already.`
  }
}
/** The cluster has no topic of this name, or did not have it within the time that was given. */
export class UnknownTopic extends Data.TaggedError("UnknownTopic")<{ readonly topic: string }> {
  readonly retriable = false as const
  override get message() {
    return `There is no topic '${this.topic}'.`
  }
}
export class UnknownPartition extends Data.TaggedError("UnknownPartition")<{
  readonly topic: string
  readonly partition: number
  readonly partitions: number
}> {
  readonly retriable = false as const
  override get message() {
    return `'${this.topic}' has the partitions 0 to ${this.partitions - 1}, and not ${this.partition}.`
  }
}
/** The name is not one that a topic may have. */
export class InvalidTopic extends Data.TaggedError("InvalidTopic")<{ readonly topic: string; readonly reason: string }> {
  readonly retriable = false as const
  override get message() {
    return `'${this.topic}': ${this.reason}`
  }
}
/** The topic's options do not do: partitions, replicas or a configuration. `error` is Kafka's name for it. */
export class TopicRefused extends Data.TaggedError("TopicRefused")<{ readonly topic: string; readonly error: KafkaError; readonly reason: string }> {
  readonly retriable = false as const
  override get message() {
    return `'${this.topic}': ${this.reason}`
  }
}
/** A node's settings do not do, or there is no such node; `node` is "node 3" or "all nodes". `error` is Kafka's name for it. */
export class NodeRefused extends Data.TaggedError("NodeRefused")<{ readonly node: string; readonly error: KafkaError; readonly reason: string }> {
  readonly retriable = false as const
  override get message() {
    return `${this.node}: ${this.reason}`
  }
}
/** Not allowed: for the topic, the group or the cluster, as `error` says. */
export class NotAuthorized extends Data.TaggedError("NotAuthorized")<{ readonly error: KafkaError; readonly what: string }> {
  readonly retriable = false as const
  override get message() {
    return `${this.what}: ${errorText(this.error)} (${this.error})`
  }
}

/** A message is larger than the client, or the topic, takes. `limitBytes` is undefined where the broker did not say its own. */
export class MessageTooLarge extends Data.TaggedError("MessageTooLarge")<{
  readonly topic: string
  readonly sizeBytes: number
  readonly limitBytes: number | undefined
}> {
  readonly retriable = false as const
  override get message() {
    return `A message of ${this.sizeBytes} bytes is too large for '${this.topic}'${this.limitBytes === undefined ? "" : `, which takes ${this.limitBytes}`}.`
  }
}
/** Fewer replicas are in sync than `min.insync.replicas` asks for. */
export class NotEnoughReplicas extends Data.TaggedError("NotEnoughReplicas")<{ readonly topic: string; readonly partition: number }> {
  readonly retriable = true as const
  override get message() {
    return `${this.topic}-${this.partition} has fewer replicas in sync than it asks for.`
  }
}
/** Nobody led the partition within the time that was given. */
export class NoLeader extends Data.TaggedError("NoLeader")<{ readonly topic: string; readonly partition: number }> {
  readonly retriable = true as const
  override get message() {
    return `${this.topic}-${this.partition} has no leader at present.`
  }
}
/** The messages that wait to be sent fill the buffer, and none of them left it in time. */
export class BufferFull extends Data.TaggedError("BufferFull")<{ readonly bufferBytesMax: number; readonly waitedMs: number }> {
  readonly retriable = true as const
  override get message() {
    return `${this.bufferBytesMax} bytes of messages wait to be sent, and no room came free within ${this.waitedMs} ms.`
  }
}
/**
 * The message may be stored or not: its delivery was given up after attempts without an answer, or the broker confirmed it without an offset. The client does not send it again,
 * since that could store it twice.
 */
export class OutcomeUnknown extends Data.TaggedError("OutcomeUnknown")<{ readonly topic: string; readonly partition: number; readonly reason: string }> {
  readonly retriable = false as const
  override get message() {
    return `Whether the message to ${this.topic}-${this.partition} is stored is not known: ${this.reason}`
  }
}
/** A newer producer or member took this one's place (same transactional id or group.instance.id). It must stop. */
export class Fenced extends Data.TaggedError("Fenced")<{ readonly what: string; readonly error: KafkaError }> {
  readonly retriable = false as const
  override get message() {
    return `${this.what}: ${this.error}, another has taken its place.`
  }
}

/**
 * Bytes that came from a broker are not the records they claim to be. The consumer stops before them; `seek` to `nextOffset` goes past them, and so does its option
 * `onCorrupt: "skip"`.
 */
export class CorruptRecords extends Data.TaggedError("CorruptRecords")<{
  readonly topic: string
  readonly partition: number
  /** The first offset that cannot be read. */
  readonly offset: number
  /** The first offset behind what cannot be read, as far as the bytes tell. */
  readonly nextOffset: number
  readonly reason: string
}> {
  readonly retriable = false as const
  override get message() {
    return `${this.topic}-${this.partition}@${this.offset} cannot be read: ${this.reason} The next offset is ${this.nextOffset}.`
  }
}
/**
 * A message is not what the topic's schemas say. `records` acts on it as its option `onUndecodable` says; by default the stream ends with this error.
 */
export class Undecodable extends Data.TaggedError("Undecodable")<{
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** What cannot be decoded. A tombstone has the value null. */
  readonly part: "key" | "value" | "tombstone"
  /** Why, on one line of at most 500 characters. */
  readonly reason: string
}> {
  readonly retriable = false as const
  override get message() {
    return `${this.topic}-${this.partition}@${this.offset}: the ${this.part} cannot be decoded by the topic's schema: ${this.reason}`
  }
}
/** The offset lies before the first or after the last record, and the consumer was told not to choose another. */
export class OffsetOutOfRange extends Data.TaggedError("OffsetOutOfRange")<{ readonly topic: string; readonly partition: number; readonly offset: number }> {
  readonly retriable = false as const
  override get message() {
    return `${this.topic}-${this.partition} has no offset ${this.offset}.`
  }
}
/** The consumer has nothing to read: it is in no group, or nothing is subscribed or assigned. */
export class NotSubscribed extends Data.TaggedError("NotSubscribed")<{ readonly reason: string }> {
  readonly retriable = false as const
  override get message() {
    return this.reason
  }
}
/** The call does not fit what the consumer is doing, such as joining a second group. */
export class WrongState extends Data.TaggedError("WrongState")<{ readonly reason: string }> {
  readonly retriable = false as const
  override get message() {
    return this.reason
  }
}
/** The partitions went to others before the commit; what was read since the last one will be read again. */
export class CommitRefused extends Data.TaggedError("CommitRefused")<{ readonly group: string; readonly error: KafkaError }> {
  readonly retriable = false as const
  override get message() {
    return `The group '${this.group}' took no commit: ${this.error}. Its partitions may have gone to other members.`
  }
}
/** The group does not take this member: its id, protocol, session timeout or size, as `error` says. */
export class GroupRefused extends Data.TaggedError("GroupRefused")<{ readonly group: string; readonly error: KafkaError }> {
  readonly retriable = false as const
  override get message() {
    return `The group '${this.group}' cannot be joined: ${errorText(this.error)} (${this.error})`
  }
}
export class UnknownGroup extends Data.TaggedError("UnknownGroup")<{ readonly group: string }> {
  readonly retriable = false as const
  override get message() {
    return `There is no group '${this.group}'.`
  }
}
export class GroupNotEmpty extends Data.TaggedError("GroupNotEmpty")<{ readonly group: string }> {
  readonly retriable = false as const
  override get message() {
    return `The group '${this.group}' has members; a group is deleted when they have left.`
  }
}

/** An error code where none may be: NONE gives undefined, authorization its own class, everything else KafkaFailure. */
export const failure = (error: KafkaError, what: string, detail: string | null = null): NotAuthorized | KafkaFailure =>
  error.endsWith("_AUTHORIZATION_FAILED") ? new NotAuthorized({ error, what }) : new KafkaFailure({ error, what, detail })
