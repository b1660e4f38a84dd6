import type { BrokerFault } from "../../broker/fault.ts"
import { CliFailure, type ExitName } from "../../cli/shell/failure.ts"
import { type DirectoryLocked, type ForeignDirectory, LogFault } from "../../ports/log-store.ts"
import type { ListenFault } from "../../ports/transport.ts"
import type { UnreadableEvent, WriterStopped } from "../../stream/fault.ts"

/** The faults that keep a node from starting, or stop it. */
export type NodeFault = LogFault | DirectoryLocked | ForeignDirectory | ListenFault | UnreadableEvent | WriterStopped | BrokerFault

type Exit = Exclude<ExitName, "ok">

const exits: { readonly [K in NodeFault["_tag"]]: (fault: Extract<NodeFault, { readonly _tag: K }>) => Exit } = {
  DirectoryLocked: () => "busy",
  ForeignDirectory: () => "data",
  ListenFault: ({ code }) => (code === "EADDRINUSE" ? "busy" : "config"),
  LogFault: ({ reason }) => (reason === "corrupt" ? "data" : "disk"),
  UnreadableEvent: () => "data",
  WriterStopped: ({ cause }) => (cause instanceof LogFault && cause.reason === "corrupt" ? "data" : "disk"),
  BrokerFault: ({ kind }) => (kind === "storage" ? "disk" : "data")
}

/** Returns the message and the exit code of a node's fault. The message of each fault says what to do. */
export const nodeFailure = (fault: NodeFault): CliFailure => {
  const exitOf = exits[fault._tag] as (fault: NodeFault) => Exit
  return new CliFailure({ exit: exitOf(fault), message: fault.message })
}
