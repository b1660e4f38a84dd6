/** The faults by the words of the command line. `faults.ts` has what each does. */
export const faultNames = ["kill", "bounce", "term", "stop", "wipe", "full", "cut", "down"] as const
export type FaultName = (typeof faultNames)[number]
