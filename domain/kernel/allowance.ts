/** How often an action is allowed: `burst` times in a row, and then once in `everyMs`. */
export interface Rate {
  readonly burst: number
  readonly everyMs: number
}
/** How often an action is still allowed, at the time `at` (ms). */
export interface Allowance {
  readonly left: number
  readonly at: number
}

/** What is left at `now`; everything where nothing was ever used. A clock that was set back adds nothing. */
export const refilled = ({ burst, everyMs }: Rate, before: Allowance | undefined, now: number): Allowance =>
  before === undefined ? { left: burst, at: now } : { left: Math.min(burst, before.left + Math.max(0, now - before.at) / everyMs), at: now }

/** The allowance after one use at `now`, or how long to wait (ms) until there is one. */
export const used = (rate: Rate, before: Allowance | undefined, now: number): Allowance | { readonly waitMs: number } => {
  const { at, left } = refilled(rate, before, now)
  return left >= 1 ? { at, left: left - 1 } : { waitMs: Math.ceil((1 - left) * rate.everyMs) }
}
