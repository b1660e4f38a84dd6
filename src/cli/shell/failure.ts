import { Data } from "effect"

/** How a command ended, for scripts. The numbers are those of sysexits.h where it has one; `franz --help` lists them. */
export const exitCodes = {
  ok: 0,
  /** The cluster or the command said no: an unknown topic, a record that is too large. */
  refused: 1,
  /** The words on the command line were wrong. */
  usage: 2,
  /** What lies on the disk is damaged or belongs to somebody else. */
  data: 65,
  /** Nobody answers at the address. */
  unavailable: 69,
  /** A bug of ours. */
  internal: 70,
  /** The port is in use, or the data directory is held by another process. */
  busy: 73,
  /** The disk is full, read-only or failing. */
  disk: 74,
  /** A setting is wrong. */
  config: 78,
  /** Interrupted by Ctrl-C. */
  interrupted: 130
} as const
export type ExitName = keyof typeof exitCodes

/** Why a command did not do what it was asked: what happened, and what helps. */
export class CliFailure extends Data.TaggedError("CliFailure")<{
  readonly exit: Exclude<ExitName, "ok">
  readonly message: string
  /** A command to run or a thing to change, if there is one. */
  readonly hint?: string | undefined
}> {}
