/** How many of the vectors hold, and the first that does not. */
interface Tally {
  readonly passed: number
  readonly total: number
  readonly firstFailure: string | undefined
}

/** Checks every line; a failure is named by its line number, its name, and what `check` says. */
export const tally = <A>(
  lines: ReadonlyArray<{ readonly line: number; readonly value: A }>,
  nameOf: (value: A) => string,
  check: (value: A) => string | undefined
): Tally => {
  let passed = 0
  let firstFailure: string | undefined
  for (const { line, value } of lines) {
    const failure = check(value)
    if (failure === undefined) passed++
    else firstFailure ??= `line ${line}: ${nameOf(value)}: ${failure}`
  }
  return { passed, total: lines.length, firstFailure }
}
