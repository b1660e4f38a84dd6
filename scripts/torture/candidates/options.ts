import { parseArgs } from "node:util"
import { type ClientKind, clientKinds } from "../clients.ts"
import { numberOf, UsageError, wholeOf, wordsOf } from "../options.ts"

/** What is done to candidates and to etcd. `kill`: SIGKILL of the leader; `stop`: SIGSTOP past its lease; `etcd`: SIGKILL of etcd's leader; `quorum`: etcd without a majority. */
const candidateFaultNames = ["kill", "stop", "etcd", "quorum"] as const
export type CandidateFaultName = (typeof candidateFaultNames)[number]

export interface CandidatesOptions {
  readonly seed: number
  /** The time of the run, if `events` does not end it, minutes. */
  readonly minutes: number
  /** The run ends after so many faults. */
  readonly events: number | undefined
  readonly faults: ReadonlyArray<CandidateFaultName>
  readonly clients: ReadonlyArray<ClientKind>
  /** Messages a second of each client. */
  readonly perSecond: number
  /** How long etcd has no majority, s. */
  readonly lastingSeconds: number
  /** `franz.leader.lease.ms` of the candidates. */
  readonly leaseMs: number
  /** Settings of brokers and candidates, NAME=VALUE. */
  readonly settings: ReadonlyArray<string>
  readonly program: string | undefined
  readonly fromSource: boolean
  readonly keep: boolean
  readonly json: string | undefined
}

export const candidatesUsage = `Usage: ./franz torture --candidates [OPTIONS]
  Three brokers, three candidates for the leader's role and three members of etcd, which must be on PATH.
  --minutes N        The time of the run (3). It ends with the fault that is under way.
  --events N         End after N faults instead.
  --only A,B,…       The faults: ${candidateFaultNames.join(", ")} (all).
  --clients A,B,…    The clients: ${clientKinds.join(", ")} (ours).
  --seed N           The order of the faults (drawn, and printed).
  --lasting-seconds N  How long etcd has no majority (30).
  --lease-ms N       franz.leader.lease.ms of the candidates (4000).
  --rate N           Messages a second of each client (30).
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
        candidates: boolean,
        minutes: string,
        events: string,
        only: string,
        clients: string,
        seed: string,
        "lasting-seconds": string,
        "lease-ms": string,
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
export const parseCandidatesOptions = (args: ReadonlyArray<string>): CandidatesOptions => {
  const values = parse(args)
  const wrong = values.set?.find((each) => !each.includes("="))
  if (wrong !== undefined) throw new UsageError(`--set takes NAME=VALUE, not '${wrong}'.`)
  return {
    seed: wholeOf("seed", values.seed, 0) ?? Date.now() % 1_000_000,
    minutes: numberOf("minutes", values.minutes, 0) ?? 3,
    events: wholeOf("events", values.events, 1),
    faults: wordsOf("only", values.only, candidateFaultNames) ?? candidateFaultNames,
    clients: wordsOf("clients", values.clients, clientKinds) ?? ["ours"],
    perSecond: numberOf("rate", values.rate, 1) ?? 30,
    lastingSeconds: numberOf("lasting-seconds", values["lasting-seconds"], 1) ?? 30,
    leaseMs: wholeOf("lease-ms", values["lease-ms"], 2000) ?? 4000,
    settings: values.set ?? [],
    program: values.program,
    fromSource: values["from-source"] === true,
    keep: values.keep === true,
    json: values.json
  }
}
