import { Effect } from "effect"
import { isTopicName } from "../../../domain/kernel/id.ts"
import { printable } from "../../../domain/kernel/printable.ts"
import type * as errors from "../../client/error.ts"
import { CliFailure, type ExitName } from "../shell/failure.ts"

type InstanceOf<C> = C extends new (...args: never) => infer E ? E : never
/** Every error that the client library can give. */
export type ClientFault = { readonly [K in keyof typeof errors]: InstanceOf<(typeof errors)[K]> }[keyof typeof errors]

interface Saying {
  readonly exit: Exclude<ExitName, "ok">
  readonly hint?: string
  /** Instead of the error's own sentence. */
  readonly message?: string
}
const refused = (hint?: string): Saying => ({ exit: "refused", ...(hint === undefined ? {} : { hint }) })
const again = "Try again; if it stays so, `franz cluster describe` shows which nodes are there."

/** What a person does about each error. The switch has no default: a new error does not compile before it has its line here. */
const saying = (fault: ClientFault): Saying => {
  switch (fault._tag) {
    case "NotReachable":
      return {
        exit: "unavailable",
        message: `nobody answers at ${fault.addresses.join(", ")} (${fault.reason})`,
        hint: "Start a cluster with `franz up`, or name another address with --leader HOST:PORT."
      }
    case "InvalidAddress":
      return { exit: "usage" }
    case "InvalidArgument":
      return { exit: "usage", message: `${fault.field.replace(/^options\./, "")} is ${fault.given}; allowed: ${fault.allowed}.` }
    case "ClientDefect":
      return { exit: "internal" }
    case "RequestTimedOut":
      return { exit: "unavailable", hint: again }
    case "UnsupportedByCluster":
      return refused("The cluster is too old or too small for this command.")
    case "KafkaFailure":
      return fault.retriable ? { exit: "unavailable", hint: again } : refused()
    case "TopicExists":
      return refused(`\`franz topic describe ${fault.topic}\` shows it; --if-not-exists is content with it.`)
    case "UnknownTopic":
      return refused(`\`franz topic list\` shows what there is; \`franz topic create ${fault.topic}\` makes it.`)
    case "UnknownPartition":
      return refused(`\`franz topic describe ${fault.topic}\` shows the partitions.`)
    case "InvalidTopic":
      return isTopicName(fault.topic) ? refused() : refused("A topic's name has 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-'.")
    case "MessageTooLarge":
      return refused(`\`franz topic describe ${fault.topic}\` shows the topic's max.message.bytes.`)
    case "NoLeader":
    case "NotEnoughReplicas":
      return { exit: "unavailable", hint: "`franz cluster describe` shows which brokers are there." }
    case "BufferFull":
      return { exit: "unavailable", hint: "The cluster takes messages more slowly than they come." }
    case "OutcomeUnknown":
      return refused("Read the topic's end before you send it again, or it may be there twice.")
    case "OffsetOutOfRange":
      return refused("--from start reads from the oldest message, --from end what comes from now on.")
    case "CorruptRecords":
    case "Undecodable":
      return { exit: "data" }
    case "NodeRefused":
      return refused(fault.error === "BROKER_ID_NOT_REGISTERED" ? "`franz cluster describe` shows the nodes." : undefined)
    case "UnknownGroup":
      return refused("`franz group list` shows what there is.")
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

/** An error of the client library as what a person reads and a script gets. */
export const clientFailure = (fault: ClientFault): CliFailure => {
  const { exit, hint, message } = saying(fault)
  // Names, and the words of a node, may be anything: they stay within their line.
  return new CliFailure({ exit, message: printable(message ?? fault.message), hint: hint === undefined ? undefined : printable(hint) })
}

/** Maps the client's errors, and leaves ours as they are. */
export const orSay = <A, E extends ClientFault | CliFailure, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, CliFailure, R> =>
  Effect.mapError(effect, (fault: ClientFault | CliFailure) => (fault._tag === "CliFailure" ? fault : clientFailure(fault)))
