import { join } from "node:path"
import { Run, root, run } from "./process.ts"

const program = join(root, "src/programs/franz.ts")

/** The program as one file, which `./franz test` builds: it starts in a third of the processor time that it needs from its sources. */
const builtProgram = process.env.FRANZ_TEST_PROGRAM
/** Where it was not built, the sources run, with the runtime that runs the test. */
const commandOf = (args: ReadonlyArray<string>): readonly [program: string, args: ReadonlyArray<string>] =>
  builtProgram === undefined ? [process.execPath, [program, ...args]] : [builtProgram, args]

export const franz = (...args: ReadonlyArray<string>): Run => Run.start(...commandOf(args))
/** Runs a command of the program to its end; its stdout. */
export const franzDoes = (args: ReadonlyArray<string>, input?: string): Promise<string> => run(...commandOf(args), input === undefined ? {} : { input })

/** What a command printed to standard error, without the lines that say what it waits for: they come on a busy machine alone. */
export const withoutWaits = (stderr: string): string => stderr.replaceAll(/^waiting for .*\n/gm, "")

export interface Node {
  readonly process: Run
  readonly address: string
  readonly port: number
}
/** How long a node may take to start on a busy machine. */
const bootMs = 120_000
/** Waits for `ready`, and reads the first address that was printed. */
export const ready = async (process: Run): Promise<Node> => {
  await process.says(/^ready$/m, bootMs)
  const [, address = "", port = ""] = process.stdout.match(/: (127\.0\.0\.1:(\d+))$/m) ?? []
  return { process, address, port: Number(port) }
}
export const up = (data: string, ...more: ReadonlyArray<string>): Promise<Node> => ready(franz("up", "--port", "0", "--data", data, ...more))
