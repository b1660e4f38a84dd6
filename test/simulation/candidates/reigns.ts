import type { Violation } from "../checker/violation.ts"
import { Findings } from "../checker/violation.ts"

/** A heartbeat of a broker that a candidate answered as the leader. */
export interface Beat {
  readonly process: string
  readonly broker: string
  readonly askedMs: number
  readonly answeredMs: number
}

interface Led {
  readonly process: string
  readonly fromMs: number
  /** By the leader's own count. */
  readonly untilMs: number
}

/** M5: who answers as the leader leads at some time between the question and the answer. A leader that was stopped past its lease answers nothing that it was asked after that. */
export const answersOfLeaders = (beats: ReadonlyArray<Beat>, reigns: ReadonlyArray<Led>): ReadonlyArray<Violation> => {
  const findings = new Findings("M5")
  for (const { answeredMs, askedMs, broker, process } of beats) {
    const own = reigns.filter((reign) => reign.process === process)
    if (!own.some(({ fromMs, untilMs }) => fromMs <= answeredMs && askedMs <= untilMs))
      findings.add(
        `${process} answered ${broker} at ${answeredMs} ms what it was asked at ${askedMs} ms, and led ${own.map(({ fromMs, untilMs }) => `from ${fromMs} to ${untilMs}`).join(", ")}`
      )
  }
  return findings.list
}
