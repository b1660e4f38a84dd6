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

/** Walks from the first state by the names of steps. Where several have a name, the first one is taken. */
const walked = (rules: Rules, bounds: Bounds, names: ReadonlyArray<string>): Visit => {
  let at: Visit = { state: firstState(bounds), name: "start", before: undefined }
  for (const name of names) {
    let next: Visit | undefined
    const possible = new Set<string>()
    steps(rules, bounds, at.state, (each, state) => {
      possible.add(each)
      if (each === name) next ??= { state, name, before: at }
    })
    if (next === undefined) throw new Error(`There is no step '${name}' here: ${[...possible].join("; ")}`)
    at = next
  }
  return at
}

/**
 * Searches all states that the rules allow within the bounds, those of fewest steps first. With `start` a directed
 * search: all states behind those steps, and no others.
 */
export const search = (rules: Rules, bounds: Bounds, limits: SearchLimits, keepsTraces = true, start: ReadonlyArray<string> = []): SearchResult => {
  const from = performance.now()
  const seen = new Set<number>()
  const first = walked(rules, bounds, start)
  seen.add(hashOf(keyOf(first.state)))
  let level: Array<Visit> = [first]
  let depth = start.length
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
