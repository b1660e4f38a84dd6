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

/** Where a message is stored. */
export interface Sent {
  readonly topic: string
  readonly partition: number
  /** From 0. -1 only for `acks: 0`, where nobody says. */
  readonly offset: number
  /** ms since 1970: the producer's own, or the broker's where the topic has `message.timestamp.type=LogAppendTime`. */
  readonly timestamp: number
}

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
