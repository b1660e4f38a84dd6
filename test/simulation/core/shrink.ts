import type { CoreOptions } from "./options.ts"
import type { PlannedStep } from "./plan.ts"
import type { Rules } from "./rules.ts"
import { type CoreRun, simulateCore } from "./simulate.ts"

/** A run that breaks the same invariant with fewer steps. */
interface Shrunk {
  readonly options: CoreOptions
  readonly run: CoreRun
  readonly tries: number
}

/**
 * Leaves steps of a plan out, halves first and then ever smaller parts, for as long as the same invariant is broken.
 * What is left is replayed by the same seed, so that other messages may be lost than in the whole run.
 */
export const shrink = (options: CoreOptions, rules: Rules, found: CoreRun, triesMax = 300): Shrunk => {
  const invariant = found.violations[0]?.invariant
  let best = { options, run: found }
  let tries = 0
  const shows = (plan: ReadonlyArray<PlannedStep>, faultsMs = best.options.faultsMs): boolean => {
    tries++
    const shorter = { ...best.options, plan, faultsMs }
    const run = simulateCore(shorter, rules)
    if (run.violations[0]?.invariant !== invariant) return false
    best = { options: shorter, run }
    return true
  }
  const end = found.simulatedMs
  shows(options.plan.filter(({ at }) => at <= end))
  let size = Math.ceil(best.options.plan.length / 2)
  while (size >= 1 && tries < triesMax) {
    let from = 0
    while (from < best.options.plan.length && tries < triesMax) {
      const { plan } = best.options
      if (!shows([...plan.slice(0, from), ...plan.slice(from + size)])) from += size
    }
    if (size === 1) break
    size = Math.ceil(size / 2)
  }
  return { ...best, tries }
}

/** What happened in a run, as far as it concerns the partition whose invariant is broken, and not longer than `linesMax`. */
export const storyOf = (options: CoreOptions, rules: Rules, linesMax = 60): ReadonlyArray<string> => {
  const { lines, violations } = simulateCore(options, rules, true)
  const partition = violations[0]?.partition
  const concerns = (line: string): boolean =>
    partition === undefined ||
    line.includes(partition) ||
    /step:|power cut|is down|starts|BROKEN|journal \d+: (LeadersElected|InSyncSetsChanged|LeaderElectedUncleanly|Reassignment|ReplicasDisowned|Broker(Fenced|Unfenced|Leaving))/.test(
      line
    )
  const told = lines.filter(concerns)
  return told.length <= linesMax ? told : [`… ${told.length - linesMax} earlier lines`, ...told.slice(-linesMax)]
}
