import { parseArgs } from "node:util"
import { type ClientKind, clientKinds } from "./clients.ts"
import { type FaultName, faultNames } from "./fault-name.ts"

export interface TortureOptions {
  readonly seed: number
  /** The time of the run, if `events` and `kills` do not end it, minutes. */
  readonly minutes: number
  /** The run ends after so many faults. */
  readonly events: number | undefined
  /** The run ends after so many kills of partition leaders. */
  readonly kills: number | undefined
  readonly faults: ReadonlyArray<FaultName>
  /** Undefined: those that this machine has. */
  readonly clients: ReadonlyArray<ClientKind> | undefined
  readonly partitions: number
  /** Messages a second of each client. */
  readonly perSecond: number
  /** How long a stopped process is stopped, a cut lasts, a disk is full and two brokers are down, s. */
  readonly lastingSeconds: number
  /** Settings of the brokers and the leader, NAME=VALUE. */
  readonly settings: ReadonlyArray<string>
  /** The program of the nodes: a file, or undefined for dist/franz, or the sources where it is not built. */
  readonly program: string | undefined
  readonly fromSource: boolean
  readonly keep: boolean
  readonly json: string | undefined
}

export const usage = `Usage: ./franz torture [OPTIONS]
  --minutes N        The time of the run (3). It ends with the fault that is under way.
  --events N         End after N faults instead, however long they take.
  --kills N          End after N kills of partition leaders instead. Without --only there are no other faults.
  --only A,B,…       The faults: ${faultNames.join(", ")} (all).
  --clients A,B,…    The clients: ${clientKinds.join(", ")} (all that this machine has).
  --seed N           The order of the faults and their targets (drawn, and printed).
  --lasting-seconds N  How long a process is stopped, a link is cut, a disk is full, two brokers are down (30).
  --partitions N     Partitions of the topic (6).
  --rate N           Messages a second of each client (30).
  --set NAME=VALUE   A setting of all nodes; may be repeated.
  --program FILE     The program of the nodes (dist/franz where it is built, else the sources).
  --from-source      Run the nodes from the sources.
  --keep             Keep the data directories also where all held.
  --json FILE        Write the result to FILE.
  --candidates       Three candidates for the leader's role over etcd in place of one leader; --candidates --help has its options.
  --coordinators     Kills of the brokers that coordinate groups; --coordinators --help has its options.`

/** A bad command line: the message is for the operator. */
export class UsageError extends Error {}

export const numberOf = (name: string, text: string | undefined, least: number): number | undefined => {
  if (text === undefined) return undefined
  const value = Number(text)
  if (text.trim() === "" || !Number.isFinite(value) || value < least) throw new UsageError(`--${name} takes a number of at least ${least}, not '${text}'.`)
  return value
}
export const wholeOf = (name: string, text: string | undefined, least: number): number | undefined => {
  const value = numberOf(name, text, least)
  if (value !== undefined && !Number.isInteger(value)) throw new UsageError(`--${name} takes a whole number, not '${text}'.`)
  return value
}
export const wordsOf = <A extends string>(name: string, text: string | undefined, known: ReadonlyArray<A>): ReadonlyArray<A> | undefined =>
  text?.split(",").map((word) => {
    const found = known.find((one) => one === word)
    if (found === undefined) throw new UsageError(`--${name}: '${word}' is none of ${known.join(", ")}.`)
    return found
  })

const string = { type: "string" } as const
const boolean = { type: "boolean" } as const
/** Reads the command line. Throws UsageError. */
export const parseOptions = (args: ReadonlyArray<string>): TortureOptions => {
  const parse = () =>
    parseArgs({
      args: [...args],
      options: {
        minutes: string,
        events: string,
        kills: string,
        only: string,
        clients: string,
        seed: string,
        "lasting-seconds": string,
        partitions: string,
        rate: string,
        set: { type: "string", multiple: true },
        program: string,
        "from-source": boolean,
        keep: boolean,
        json: string
      }
    }).values
  let values: ReturnType<typeof parse>
  try {
    values = parse()
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause))
  }
  const wrong = values.set?.find((each) => !each.includes("="))
  if (wrong !== undefined) throw new UsageError(`--set takes NAME=VALUE, not '${wrong}'.`)
  const kills = wholeOf("kills", values.kills, 1)
  const faults = wordsOf("only", values.only, faultNames) ?? (kills === undefined ? faultNames : ["kill"])
  if (kills !== undefined && !faults.includes("kill")) throw new UsageError("--kills needs 'kill' among the faults of --only.")
  return {
    seed: wholeOf("seed", values.seed, 0) ?? Date.now() % 1_000_000,
    minutes: numberOf("minutes", values.minutes, 0) ?? 3,
    events: wholeOf("events", values.events, 1),
    kills,
    faults,
    clients: wordsOf("clients", values.clients, clientKinds),
    partitions: wholeOf("partitions", values.partitions, 1) ?? 6,
    perSecond: numberOf("rate", values.rate, 1) ?? 30,
    lastingSeconds: numberOf("lasting-seconds", values["lasting-seconds"], 1) ?? 30,
    settings: values.set ?? [],
    program: values.program,
    fromSource: values["from-source"] === true,
    keep: values.keep === true,
    json: values.json
  }
}
