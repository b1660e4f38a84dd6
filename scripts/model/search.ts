import { broken } from "./invariants.ts"
import { keyOf } from "./key.ts"
import type { Rules } from "./rules.ts"
import { type Bounds, firstState, type ModelState } from "./state.ts"
import { steps } from "./steps.ts"

/** What a search over all states found. */
interface SearchResult {
  readonly states: number
  /** Steps from the first state to the last one that was found, or to the one that breaks an invariant. */
  readonly depth: number
  readonly milliseconds: number
  /** The invariant that a state breaks, and the steps to it; undefined: all hold. */
  readonly violation: { readonly invariant: string; readonly trace: ReadonlyArray<string> } | undefined
  /** Whether all states were searched. */
  readonly isWhole: boolean
}

interface SearchLimits {
  readonly milliseconds: number
  readonly states: number
  /** Called about every second. */
  readonly progress?: ((states: number, depth: number, waiting: number) => void) | undefined
}

interface Visit {
  readonly state: ModelState
  readonly name: string
  readonly before: Visit | undefined
}

/** 53 bits of two hashes: among three million states the chance that two of them share it is 1 in 2,000. */
const hashOf = (key: string): number => Bun.hash.xxHash32(key, 1) * 2 ** 21 + (Bun.hash.xxHash32(key, 2) & 0x1f_ffff)

const traceOf = (visit: Visit): ReadonlyArray<string> => {
  const names: Array<string> = []
  for (let at: Visit | undefined = visit; at?.before !== undefined; at = at.before) names.unshift(at.name)
  return names
}

/** Searches all states that the rules allow within the bounds, those of fewest steps first. */
export const search = (rules: Rules, bounds: Bounds, limits: SearchLimits, keepsTraces = true): SearchResult => {
  const from = performance.now()
  const seen = new Set<number>()
  const first: Visit = { state: firstState(bounds), name: "start", before: undefined }
  seen.add(hashOf(keyOf(first.state)))
  let level: Array<Visit> = [first]
  let depth = 0
  let reported = from
  const ended = (violation: SearchResult["violation"], isWhole: boolean): SearchResult => ({
    states: seen.size,
    depth,
    milliseconds: performance.now() - from,
    violation,
    isWhole
  })
  while (level.length > 0) {
    depth++
    const next: Array<Visit> = []
    let violation: SearchResult["violation"]
    for (const [at, visit] of level.entries()) {
      steps(rules, bounds, visit.state, (name, state) => {
        const hash = hashOf(keyOf(state))
        if (violation !== undefined || seen.has(hash)) return
        seen.add(hash)
        const reached: Visit = { state, name, before: keepsTraces ? visit : undefined }
        const invariant = broken(state)
        if (invariant !== undefined) violation = { invariant, trace: traceOf(reached) }
        next.push(reached)
      })
      if (violation !== undefined) return ended(violation, false)
      if (at % 64 !== 0) continue
      const now = performance.now()
      if (now - from > limits.milliseconds || seen.size > limits.states) return ended(undefined, false)
      if (now - reported > 1000) {
        reported = now
        limits.progress?.(seen.size, depth, level.length - at + next.length)
      }
    }
    level = next
  }
  return ended(undefined, true)
}
