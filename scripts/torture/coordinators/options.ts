import { parseArgs } from "node:util"
import { type ClientKind, clientKinds } from "../clients.ts"
import { numberOf, UsageError, wholeOf, wordsOf } from "../options.ts"

/** What is done to the broker that coordinates the groups. `kill`: SIGKILL, and a start when another one coordinates; `bounce`: SIGKILL, and a start at once; `term`: SIGTERM and a start. */
const coordinatorFaultNames = ["kill", "bounce", "term"] as const
export type CoordinatorFaultName = (typeof coordinatorFaultNames)[number]

export interface CoordinatorsOptions {
  readonly seed: number
  /** The time of the run, if `events` and `kills` do not end it, minutes. */
  readonly minutes: number
  /** The run ends after so many faults. */
  readonly events: number | undefined
  /** The run ends after so many kills. */
  readonly kills: number | undefined
  readonly faults: ReadonlyArray<CoordinatorFaultName>
  /** The kinds of members, with a group each. Undefined: those that this machine has. */
  readonly clients: ReadonlyArray<ClientKind> | undefined
  /** Messages a second. */
  readonly perSecond: number
  /** Settings of all nodes, NAME=VALUE. */
  readonly settings: ReadonlyArray<string>
  readonly program: string | undefined
  readonly fromSource: boolean
  readonly keep: boolean
  readonly json: string | undefined
}

export const coordinatorsUsage = `Usage: ./franz torture --coordinators [OPTIONS]
  Three brokers coordinate classic groups (franz.groups.engine=partitions, RF 3); the broker that coordinates them is killed.
  --minutes N        The time of the run (3). It ends with the fault that is under way.
  --events N         End after N faults instead.
  --kills N          End after N kills instead. Without --only there are no other faults.
  --only A,B,…       The faults: ${coordinatorFaultNames.join(", ")} (all).
  --clients A,B,…    The members, two of each kind in a group of their own: ${clientKinds.join(", ")} (all that this machine has).
  --seed N           The order of the faults (drawn, and printed).
  --rate N           Messages a second (30).
  --set NAME=VALUE   A setting of all nodes; may be repeated.
  --program FILE     The program of the nodes (dist/franz where it is built, else the sources).
  --from-source      Run the nodes from the sources.
  --keep             Keep the data directories also where all held.
  --json FILE        Write the result to FILE.`

const string = { type: "string" } as const
const boolean = { type: "boolean" } as const
const parse = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        coordinators: boolean,
        minutes: string,
        events: string,
        kills: string,
        only: string,
        clients: string,
        seed: string,
        rate: string,
        set: { type: "string", multiple: true },
        program: string,
        "from-source": boolean,
        keep: boolean,
        json: string
      }
    }).values
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause))
  }
}

/** Reads the command line. Throws UsageError. */
export const parseCoordinatorsOptions = (args: ReadonlyArray<string>): CoordinatorsOptions => {
  const values = parse(args)
  const wrong = values.set?.find((each) => !each.includes("="))
  if (wrong !== undefined) throw new UsageError(`--set takes NAME=VALUE, not '${wrong}'.`)
  const kills = wholeOf("kills", values.kills, 1)
  const faults = wordsOf("only", values.only, coordinatorFaultNames) ?? (kills === undefined ? coordinatorFaultNames : ["kill"])
  if (kills !== undefined && !faults.includes("kill")) throw new UsageError("--kills needs 'kill' among the faults of --only.")
  return {
    seed: wholeOf("seed", values.seed, 0) ?? Date.now() % 1_000_000,
    minutes: numberOf("minutes", values.minutes, 0) ?? 3,
    events: wholeOf("events", values.events, 1),
    kills,
    faults,
    clients: wordsOf("clients", values.clients, clientKinds),
    perSecond: numberOf("rate", values.rate, 1) ?? 30,
    settings: values.set ?? [],
    program: values.program,
    fromSource: values["from-source"] === true,
    keep: values.keep === true,
    json: values.json
  }
}
