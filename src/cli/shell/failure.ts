import { Data } from "effect"

/** The exit codes, by their names. The numbers are those of sysexits.h where it has one; `franz --help` lists them. */
export const exitCodes = {
  ok: 0,
  /** The cluster or the command refused: an unknown topic, a message that is too large. */
  refused: 1,
  /** Usage error: the command line is not valid. */
  usage: 2,
  /** The data on the disk is damaged, or belongs to another cluster or node. */
  data: 65,
  /** The cluster is unreachable. */
  unavailable: 69,
  /** A bug of this program. */
  internal: 70,
  /** The port is in use, or another process holds the data directory. */
  busy: 73,
  /** The disk is full, read-only or failing. */
  disk: 74,
  /** A setting is not valid. */
  config: 78,
  /** Interrupted by Ctrl-C. */
  interrupted: 130
} as const
export type ExitName = keyof typeof exitCodes

/** Why a command failed: what happened, and what to do. */
export class CliFailure extends Data.TaggedError("CliFailure")<{
  readonly exit: Exclude<ExitName, "ok">
  readonly message: string
  /** What to do, if it is known. */
  readonly hint?: string | undefined
}> {}
