import type { BrokerFault } from "../broker/fault.ts"
import { CliFailure, type ExitName } from "../cli/shell/failure.ts"
import type { UnreadableEvent, WriterStopped } from "../leader/fault.ts"
import type { DirectoryLocked, ForeignDirectory, LogFault } from "../ports/log-store.ts"
import type { ListenFault } from "../ports/transport.ts"

/** Whatever keeps a node from starting, or makes it stop. */
export type NodeFault = LogFault | DirectoryLocked | ForeignDirectory | ListenFault | UnreadableEvent | WriterStopped | BrokerFault

const diskHint = "Nothing that was acknowledged is lost. Start the node again when the disk takes writes."

const sayings: { readonly [K in NodeFault["_tag"]]: (fault: Extract<NodeFault, { readonly _tag: K }>) => readonly [Exclude<ExitName, "ok">, string?] } = {
  DirectoryLocked: () => ["busy"],
  ForeignDirectory: () => ["data"],
  ListenFault: ({ code }) => (code === "EADDRINUSE" ? ["busy", "--port 0 takes a free port and prints it."] : ["config"]),
  LogFault: ({ reason }) => (reason === "corrupt" ? ["data"] : ["disk", diskHint]),
  UnreadableEvent: () => ["data"],
  WriterStopped: () => ["disk"],
  BrokerFault: ({ kind }) => [kind === "storage" ? "disk" : "data"]
}

/** A node's fault as what a person reads and a script gets. */
export const nodeFailure = (fault: NodeFault): CliFailure => {
  const say = sayings[fault._tag] as (fault: NodeFault) => readonly [Exclude<ExitName, "ok">, string?]
  const [exit, hint] = say(fault)
  return new CliFailure({ exit, message: fault.message, hint })
}
