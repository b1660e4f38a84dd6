import type {
  BufferFull,
  CallError,
  ClientDefect,
  Closed,
  Fenced,
  InvalidArgument,
  InvalidTopic,
  MessageTooLarge,
  NoLeader,
  NotAuthorized,
  NotEnoughReplicas,
  OutcomeUnknown,
  UnknownPartition,
  UnknownTopic
} from "../../error.ts"

/** The position at which a message is stored. */
export interface Sent {
  readonly topic: string
  readonly partition: number
  /** From 0. -1 only for `acks: 0`, where the broker does not respond. */
  readonly offset: number
  /**
   * ms since 1970: the producer's own timestamp, or the broker's where the topic has
   * `message.timestamp.type=LogAppendTime`.
   */
  readonly timestamp: number
}

/** Gets the delivery report of each of its messages, once. `index` is the message's place among them. */
export interface DeliveryListener {
  readonly stored: (index: number, sent: Sent) => void
  readonly failed: (index: number, error: SendError) => void
}

/** Why a message was not stored, or, as OutcomeUnknown, may not be. */
export type SendError =
  | CallError
  | InvalidArgument
  | ClientDefect
  | UnknownTopic
  | UnknownPartition
  | InvalidTopic
  | MessageTooLarge
  | NotEnoughReplicas
  | NoLeader
  | BufferFull
  | OutcomeUnknown
  | NotAuthorized
  | Fenced
  | Closed
