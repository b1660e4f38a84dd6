import { Effect } from "effect"
import { isTopicName } from "../../../domain/kernel/id.ts"
import { printable } from "../../../domain/kernel/printable.ts"
import type * as errors from "../../client/error.ts"
import { CliFailure, type ExitName } from "../shell/failure.ts"

type InstanceOf<C> = C extends new (...args: never) => infer E ? E : never
/** Every error of the client library. */
export type ClientFault = { readonly [K in keyof typeof errors]: InstanceOf<(typeof errors)[K]> }[keyof typeof errors]

interface Report {
  readonly exit: Exclude<ExitName, "ok">
  readonly hint?: string
  /** Replaces the message of the error. */
  readonly message?: string
}
const refused = (hint?: string): Report => ({ exit: "refused", ...(hint === undefined ? {} : { hint }) })
const unreachable = (why: string): Report => ({
  exit: "unavailable",
  message: `cluster unreachable: ${why}`,
  hint: "Start a cluster with `franz up`, or give another address with --leader HOST:PORT."
})
const unknownTopic = (topic: string): Report => ({
  ...refused(`\`franz topic list\` lists the topics. \`franz topic create ${topic}\` creates it.`),
  message: `There is no topic '${topic}'.`
})
const again = "Try again. If it persists, `franz cluster describe` shows the state of the nodes."

/** What the user can do about each error. The switch has no default: the compiler names an error without a case. */
const reportOf = (fault: ClientFault): Report => {
  switch (fault._tag) {
    case "NotReachable":
      return unreachable(`no node responds at ${fault.addresses.join(", ")} (${fault.reason})`)
    case "TlsFailed":
      return { exit: "unavailable", message: `cluster unreachable: ${fault.message}` }
    case "InvalidAddress":
      return { exit: "usage" }
    case "InvalidArgument":
      return { exit: "usage", message: `${fault.field.replace(/^options\./, "")} is ${fault.given}; allowed: ${fault.allowed}.` }
    case "ClientDefect":
      return { exit: "internal" }
    case "RequestTimedOut":
      return { exit: "unavailable", hint: again }
    case "UnsupportedByCluster":
      return refused("The cluster does not support this command. A newer version of it may.")
    case "KafkaFailure":
    case "AuthenticationFailed":
      return fault.retriable ? { exit: "unavailable", hint: again } : refused()
    case "TopicExists":
      return refused(`\`franz topic describe ${fault.topic}\` shows it. --if-not-exists accepts it.`)
    case "UnknownTopic":
      return unknownTopic(fault.topic)
    case "UnknownPartition":
      return refused(`\`franz topic describe ${fault.topic}\` shows the partitions.`)
    case "InvalidTopic":
      return isTopicName(fault.topic) ? refused() : refused("A topic's name has 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-'.")
    case "MessageTooLarge":
      return refused(`\`franz topic describe ${fault.topic}\` shows the topic's max.message.bytes.`)
    case "NoLeader":
    case "NotEnoughReplicas":
      return { exit: "unavailable", hint: "`franz cluster describe` shows the state of the brokers." }
    case "BufferFull":
      return { exit: "unavailable", hint: "The cluster stores messages more slowly than they are sent." }
    case "OutcomeUnknown":
      return refused("Check the end of the topic before you send the message again: it may be stored already.")
    case "OffsetOutOfRange":
      return refused("--from start begins at the oldest message, --from end at new messages.")
    case "CorruptRecords":
    case "Undecodable":
      return { exit: "data" }
    case "NodeRefused":
      return refused(fault.error === "BROKER_ID_NOT_REGISTERED" ? "`franz cluster describe` lists the nodes." : undefined)
    case "UnknownGroup":
      return refused("`franz group list` lists the groups.")
    case "AnswerTooLarge":
    case "TopicRefused":
    case "NotAuthorized":
    case "Fenced":
    case "NotSubscribed":
    case "WrongState":
    case "CommitRefused":
    case "GroupRefused":
    case "GroupNotEmpty":
    case "Closed":
      return refused()
  }
}

/** Returns an error of the client library with its exit code and its hint. */
export const clientFailure = (fault: ClientFault): CliFailure => {
  const { exit, hint, message } = reportOf(fault)
  // Names and messages of a node may contain line breaks: each stays on one line.
  return new CliFailure({ exit, message: printable(message ?? fault.message), hint: hint === undefined ? undefined : printable(hint) })
}

/** Maps errors of the client library; a CliFailure stays as it is. */
export const mapClientErrors = <A, E extends ClientFault | CliFailure, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, CliFailure, R> =>
  Effect.mapError(effect, (fault: ClientFault | CliFailure) => (fault._tag === "CliFailure" ? fault : clientFailure(fault)))
