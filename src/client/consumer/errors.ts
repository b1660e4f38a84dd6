import type { OffsetsError } from "../cluster/start-offsets.ts"
import type { CallError, ClientDefect, Closed, CommitRefused, InvalidArgument, NotAuthorized, NotSubscribed, UnknownPartition, WrongState } from "../error.ts"
import type { MemberError } from "../group/member.ts"
import type { TopicError } from "../metadata/metadata.ts"
import type { ReadError } from "./fetch/partition-reader.ts"

export type JoinError = CallError | InvalidArgument | WrongState | Closed
export type SubscribeError = TopicError | InvalidArgument | OffsetsError | WrongState | Closed
export type AssignError = SubscribeError | UnknownPartition
export type PollError = ReadError | InvalidArgument | ClientDefect | MemberError | NotSubscribed | WrongState | Closed
/** Why `run` ends besides the failure of a handler. */
export type RunError = ReadError | InvalidArgument | MemberError | NotSubscribed | WrongState | Closed
export type CommitError = CallError | CommitRefused | NotAuthorized | WrongState | Closed
