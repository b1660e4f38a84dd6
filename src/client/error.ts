import { Data } from "effect"
import { errorText, isRetriable, type KafkaError } from "../../domain/kernel/error-code.ts"
import type { TaggedErrorClass } from "../ports/tagged-error.ts"

/**
 * The errors of the client, one class for each action that the caller may take. `retriable` says whether the same call
 * may succeed later without a change. The client has already retried within its own timeouts when an error reaches the
 * caller.
 */

const NotReachableError: TaggedErrorClass<"NotReachable"> = Data.TaggedError("NotReachable")
/** No node responds at these addresses, or the connection broke each time before a response. */
export class NotReachable extends NotReachableError<{ readonly addresses: ReadonlyArray<string>; readonly reason: string }> {
  readonly retriable = true as const
  override get message(): string {
    return `No node responds at ${this.addresses.join(", ")}: ${this.reason}`
  }
}
const TlsFailedError: TaggedErrorClass<"TlsFailed"> = Data.TaggedError("TlsFailed")
/**
 * No TLS connection to the node: its certificate has expired or is not trusted, the port does not speak TLS, or it
 * requires TLS and the option `tls` is missing. `code` is the cause's code of OpenSSL or of the runtime.
 */
export class TlsFailed extends TlsFailedError<{ readonly address: string; readonly code: string; readonly reason: string }> {
  readonly retriable = false as const
  override get message(): string {
    return `No TLS connection to ${this.address}: ${this.reason}`
  }
}
const AuthenticationFailedError: TaggedErrorClass<"AuthenticationFailed"> = Data.TaggedError("AuthenticationFailed")
/** The node refuses the client's credentials or mechanism, or did not prove its own identity. */
export class AuthenticationFailed extends AuthenticationFailedError<{
  readonly address: string
  readonly mechanism: string
  readonly reason: string
  /** Whether the same credentials may be accepted later: the token could not be fetched, for example. */
  readonly temporary: boolean
}> {
  get retriable(): boolean {
    return this.temporary
  }
  override get message(): string {
    return `Authentication at ${this.address} by ${this.mechanism} failed: ${this.reason}`
  }
}
const InvalidAddressError: TaggedErrorClass<"InvalidAddress"> = Data.TaggedError("InvalidAddress")
/** An address that is not `HOST:PORT`. */
export class InvalidAddress extends InvalidAddressError<{ readonly address: string }> {
  readonly retriable = false as const
  override get message(): string {
    return `'${this.address}' is not an address: expected HOST:PORT, as in 127.0.0.1:9092.`
  }
}
const RequestTimedOutError: TaggedErrorClass<"RequestTimedOut"> = Data.TaggedError("RequestTimedOut")
/** There was no response within `timeoutMs`. Whether the request was carried out is not known. */
export class RequestTimedOut extends RequestTimedOutError<{ readonly what: string; readonly timeoutMs: number; readonly reason: string }> {
  readonly retriable = true as const
  override get message(): string {
    return `${this.what} did not finish within ${this.timeoutMs} ms: ${this.reason}`
  }
}
const AnswerTooLargeError: TaggedErrorClass<"AnswerTooLarge"> = Data.TaggedError("AnswerTooLarge")
/** A node's response is larger than `responseBytesMax`. The client does not retry: the response would be the same. */
export class AnswerTooLarge extends AnswerTooLargeError<{
  readonly address: string
  readonly what: string
  readonly sizeBytes: number
  readonly bytesMax: number
}> {
  readonly retriable = false as const
  override get message(): string {
    return `${this.what}: the response of ${this.address} has ${this.sizeBytes} bytes, over responseBytesMax=${this.bytesMax}.`
  }
}
const UnsupportedByClusterError: TaggedErrorClass<"UnsupportedByCluster"> = Data.TaggedError("UnsupportedByCluster")
/** The cluster does not support the API, or the version of it, that the call needs. */
export class UnsupportedByCluster extends UnsupportedByClusterError<{ readonly what: string }> {
  readonly retriable = false as const
  override get message(): string {
    return `The cluster does not support ${this.what}.`
  }
}
const KafkaFailureError: TaggedErrorClass<"KafkaFailure"> = Data.TaggedError("KafkaFailure")
/** An error code of Kafka that has no class of its own here. */
export class KafkaFailure extends KafkaFailureError<{ readonly error: KafkaError; readonly what: string; readonly detail: string | null }> {
  get retriable(): boolean {
    return isRetriable(this.error)
  }
  override get message(): string {
    return `${this.what}: ${this.detail ? this.detail : errorText(this.error)} (${this.error})`
  }
}
const ClosedError: TaggedErrorClass<"Closed"> = Data.TaggedError("Closed")
/** The producer, consumer or admin was closed. */
export class Closed extends ClosedError<{ readonly what: string }> {
  readonly retriable = false as const
  override get message(): string {
    return `The ${this.what} is closed.`
  }
}
const InvalidArgumentError: TaggedErrorClass<"InvalidArgument"> = Data.TaggedError("InvalidArgument")
/** A call got an argument that it cannot use. The call had no effect. */
export class InvalidArgument extends InvalidArgumentError<{
  /** The call, as `sendMessage`. */
  readonly call: string
  /** Path of the argument, as `options.lingerMs`. */
  readonly field: string
  /** A description of the value, of at most about 80 characters. */
  readonly given: string
  readonly allowed: string
}> {
  readonly retriable = false as const
  override get message(): string {
    return `${this.call}: ${this.field} is ${this.given}; allowed: ${this.allowed}.`
  }
}
const ClientDefectError: TaggedErrorClass<"ClientDefect"> = Data.TaggedError("ClientDefect")
/**
 * A part of the client failed by a defect, which is a bug of the library. The part was started again, and its other
 * users continue. The defect is in the log.
 */
export class ClientDefect extends ClientDefectError<{ readonly part: string; readonly reason: string }> {
  readonly retriable = true as const
  override get message(): string {
    return `The client's ${this.part} failed by a defect and was started again: ${this.reason}`
  }
}
/** The errors of an attempt to connect. */
export type ConnectError = NotReachable | TlsFailed | AuthenticationFailed
/** Whether no connection to a node can succeed with these options. */
export const isRefusedConnection = (error: { readonly _tag: string }): error is TlsFailed | AuthenticationFailed =>
  error instanceof TlsFailed || (error instanceof AuthenticationFailed && !error.temporary)
/** The errors that a call of any API may have. */
export type CallError = ConnectError | RequestTimedOut | AnswerTooLarge | UnsupportedByCluster | KafkaFailure

const TopicExistsError: TaggedErrorClass<"TopicExists"> = Data.TaggedError("TopicExists")
/** The cluster has a topic of this name. `Effect.catchTag("TopicExists", () => Effect.void)` accepts it as it is. */
export class TopicExists extends TopicExistsError<{ readonly topic: string }> {
  readonly retriable = false as const
  override get message(): string {
    return `The topic '${this.topic}' exists already.`
  }
}
const UnknownTopicError: TaggedErrorClass<"UnknownTopic"> = Data.TaggedError("UnknownTopic")
/**
 * The cluster has no topic of this name, or did not have it within the timeout. `addTopic` creates it. Sending to a topic
 * creates it where the cluster and `createTopics` allow that; reading does not.
 */
export class UnknownTopic extends UnknownTopicError<{ readonly topic: string }> {
  readonly retriable = false as const
  override get message(): string {
    return `There is no topic '${this.topic}'. Create it with addTopic, or check the name.`
  }
}
const UnknownPartitionError: TaggedErrorClass<"UnknownPartition"> = Data.TaggedError("UnknownPartition")
/** The topic has no partition of this index. */
export class UnknownPartition extends UnknownPartitionError<{
  readonly topic: string
  readonly partition: number
  readonly partitions: number
}> {
  readonly retriable = false as const
  override get message(): string {
    return `'${this.topic}' has the partitions 0 to ${this.partitions - 1}, and not ${this.partition}.`
  }
}
const InvalidTopicError: TaggedErrorClass<"InvalidTopic"> = Data.TaggedError("InvalidTopic")
/** A topic cannot have this name, or clients cannot use the topic in this way. */
export class InvalidTopic extends InvalidTopicError<{ readonly topic: string; readonly reason: string }> {
  readonly retriable = false as const
  override get message(): string {
    return `'${this.topic}': ${this.reason}`
  }
}
const TopicRefusedError: TaggedErrorClass<"TopicRefused"> = Data.TaggedError("TopicRefused")
/**
 * The cluster refused the options of a topic: its partitions, replicas or settings. `error` is the name of Kafka's
 * error code.
 */
export class TopicRefused extends TopicRefusedError<{ readonly topic: string; readonly error: KafkaError; readonly reason: string }> {
  readonly retriable = false as const
  override get message(): string {
    return `'${this.topic}': ${this.reason}`
  }
}
const NodeRefusedError: TaggedErrorClass<"NodeRefused"> = Data.TaggedError("NodeRefused")
/**
 * The cluster refused the settings of a node, or has no such node. `node` is "node 3" or "all nodes"; `error` is the
 * name of Kafka's error code.
 */
export class NodeRefused extends NodeRefusedError<{ readonly node: string; readonly error: KafkaError; readonly reason: string }> {
  readonly retriable = false as const
  override get message(): string {
    return `${this.node}: ${this.reason}`
  }
}
const NotAuthorizedError: TaggedErrorClass<"NotAuthorized"> = Data.TaggedError("NotAuthorized")
/** The client is not authorized for the topic, the group or the cluster, as `error` says. */
export class NotAuthorized extends NotAuthorizedError<{ readonly error: KafkaError; readonly what: string }> {
  readonly retriable = false as const
  override get message(): string {
    return `${this.what}: ${errorText(this.error)} (${this.error})`
  }
}

const MessageTooLargeError: TaggedErrorClass<"MessageTooLarge"> = Data.TaggedError("MessageTooLarge")
/**
 * A message is larger than `messageBytesMax` or the topic's `max.message.bytes`. `limitBytes` is undefined where the
 * broker did not name its limit.
 */
export class MessageTooLarge extends MessageTooLargeError<{
  readonly topic: string
  readonly sizeBytes: number
  readonly limitBytes: number | undefined
}> {
  readonly retriable = false as const
  override get message(): string {
    return `A message of ${this.sizeBytes} bytes is too large for '${this.topic}'${this.limitBytes === undefined ? "" : `: the limit is ${this.limitBytes}`}.`
  }
}
const NotEnoughReplicasError: TaggedErrorClass<"NotEnoughReplicas"> = Data.TaggedError("NotEnoughReplicas")
/** Fewer replicas are in sync than the topic's `min.insync.replicas`. */
export class NotEnoughReplicas extends NotEnoughReplicasError<{ readonly topic: string; readonly partition: number }> {
  readonly retriable = true as const
  override get message(): string {
    return `${this.topic}-${this.partition} has fewer replicas in sync than its min.insync.replicas.`
  }
}
const NoLeaderError: TaggedErrorClass<"NoLeader"> = Data.TaggedError("NoLeader")
/** The partition had no leader within the timeout. */
export class NoLeader extends NoLeaderError<{ readonly topic: string; readonly partition: number }> {
  readonly retriable = true as const
  override get message(): string {
    return `${this.topic}-${this.partition} has no leader at present.`
  }
}
const BufferFullError: TaggedErrorClass<"BufferFull"> = Data.TaggedError("BufferFull")
/**
 * The messages without a delivery report fill `bufferBytesMax`, and no memory came free within `bufferTimeoutMs`; or
 * the messages that wait for it fill `waitingBytesMax`, which the error names then.
 */
export class BufferFull extends BufferFullError<{
  readonly bufferBytesMax: number
  readonly waitedMs: number
  readonly waitingBytesMax?: number
}> {
  readonly retriable = true as const
  override get message(): string {
    return this.waitingBytesMax === undefined
      ? `${this.bufferBytesMax} bytes of messages wait to be sent, and no memory came free within ${this.waitedMs} ms.`
      : `The messages that wait for buffer memory or for metadata have waitingBytesMax=${this.waitingBytesMax} bytes. Wait for delivery reports before you send more.`
  }
}
const OutcomeUnknownError: TaggedErrorClass<"OutcomeUnknown"> = Data.TaggedError("OutcomeUnknown")
/**
 * The message may be stored or not: its delivery was given up after attempts without a response, or the broker
 * confirmed it without an offset. The client does not send it again, since that could store it twice.
 */
export class OutcomeUnknown extends OutcomeUnknownError<{ readonly topic: string; readonly partition: number; readonly reason: string }> {
  readonly retriable = false as const
  override get message(): string {
    return `Whether the message to ${this.topic}-${this.partition} is stored is not known: ${this.reason}`
  }
}
const FencedError: TaggedErrorClass<"Fenced"> = Data.TaggedError("Fenced")
/**
 * A newer producer or member with the same transactional id or group.instance.id has replaced this one, which must
 * stop.
 */
export class Fenced extends FencedError<{ readonly what: string; readonly error: KafkaError }> {
  readonly retriable = false as const
  override get message(): string {
    return `${this.what}: ${this.error}, a newer one has replaced it.`
  }
}

const CorruptRecordsError: TaggedErrorClass<"CorruptRecords"> = Data.TaggedError("CorruptRecords")
/**
 * The bytes of a record batch are damaged. The consumer stops before them. `seek` to `nextOffset` skips them, and so
 * does the option `onCorrupt: "skip"`.
 */
export class CorruptRecords extends CorruptRecordsError<{
  readonly topic: string
  readonly partition: number
  /** The first offset that cannot be read. */
  readonly offset: number
  /** The first offset behind what cannot be read, as far as the bytes tell. */
  readonly nextOffset: number
  readonly reason: string
}> {
  readonly retriable = false as const
  override get message(): string {
    return `${this.topic}-${this.partition}@${this.offset} cannot be read: ${this.reason} The next offset is ${this.nextOffset}.`
  }
}
const UndecodableError: TaggedErrorClass<"Undecodable"> = Data.TaggedError("Undecodable")
/**
 * A message does not match the schemas of its topic. `records` does with it what its option `onUndecodable` says; by
 * default the stream ends with this error.
 */
export class Undecodable extends UndecodableError<{
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** The part that cannot be decoded. A tombstone is the value null. */
  readonly part: "key" | "value" | "tombstone" | "headers"
  /** Why, on one line of at most 500 characters. */
  readonly reason: string
}> {
  readonly retriable = false as const
  override get message(): string {
    return `${this.topic}-${this.partition}@${this.offset}: the ${this.part} cannot be decoded by the topic's schema: ${this.reason}`
  }
}
const OffsetOutOfRangeError: TaggedErrorClass<"OffsetOutOfRange"> = Data.TaggedError("OffsetOutOfRange")
/** The partition has no such offset, and the consumer must not choose another, since the caller named it. */
export class OffsetOutOfRange extends OffsetOutOfRangeError<{ readonly topic: string; readonly partition: number; readonly offset: number }> {
  readonly retriable = false as const
  override get message(): string {
    return `${this.topic}-${this.partition} has no offset ${this.offset}.`
  }
}
const NotSubscribedError: TaggedErrorClass<"NotSubscribed"> = Data.TaggedError("NotSubscribed")
/** The consumer has nothing to read: it is in no group, or has no subscription and no assignment. */
export class NotSubscribed extends NotSubscribedError<{ readonly reason: string }> {
  readonly retriable = false as const
  override get message(): string {
    return this.reason
  }
}
const WrongStateError: TaggedErrorClass<"WrongState"> = Data.TaggedError("WrongState")
/** The consumer cannot do this in its present state, such as join a second group. */
export class WrongState extends WrongStateError<{ readonly reason: string }> {
  readonly retriable = false as const
  override get message(): string {
    return this.reason
  }
}
const CommitRefusedError: TaggedErrorClass<"CommitRefused"> = Data.TaggedError("CommitRefused")
/**
 * The group assigned the partitions to other members before the commit. Messages since the last commit will be read
 * again.
 */
export class CommitRefused extends CommitRefusedError<{ readonly group: string; readonly error: KafkaError }> {
  readonly retriable = false as const
  override get message(): string {
    return `The group '${this.group}' refused the commit: ${this.error}. Other members may have its partitions.`
  }
}
const GroupRefusedError: TaggedErrorClass<"GroupRefused"> = Data.TaggedError("GroupRefused")
/**
 * The group refuses this member for its id, protocol or session timeout, or because the group is full, as `error` says.
 */
export class GroupRefused extends GroupRefusedError<{ readonly group: string; readonly error: KafkaError }> {
  readonly retriable = false as const
  override get message(): string {
    return `The group '${this.group}' cannot be joined: ${errorText(this.error)} (${this.error})`
  }
}
const UnknownGroupError: TaggedErrorClass<"UnknownGroup"> = Data.TaggedError("UnknownGroup")
/** The cluster has no group of this name. */
export class UnknownGroup extends UnknownGroupError<{ readonly group: string }> {
  readonly retriable = false as const
  override get message(): string {
    return `There is no group '${this.group}'.`
  }
}
const GroupNotEmptyError: TaggedErrorClass<"GroupNotEmpty"> = Data.TaggedError("GroupNotEmpty")
/** A group with members cannot be deleted. */
export class GroupNotEmpty extends GroupNotEmptyError<{ readonly group: string }> {
  readonly retriable = false as const
  override get message(): string {
    return `The group '${this.group}' has members. Stop them before you delete the group.`
  }
}

/** Returns the error for a code of a response: NotAuthorized or KafkaFailure. */
export const failure = (error: KafkaError, what: string, detail: string | null = null): NotAuthorized | KafkaFailure =>
  error.endsWith("_AUTHORIZATION_FAILED") ? new NotAuthorized({ error, what }) : new KafkaFailure({ error, what, detail })
