/**
 * An assertion that does not hold: the program is wrong, so its state cannot be relied on. No code recovers from it:
 * the role ends, and the node stops.
 */
export class Bug extends Error {
  override readonly name = "Bug"
}

/**
 * Throws a Bug. The caller compares first, so that an assertion that holds costs one comparison: `if (end < this.end)
 * bug("…")`.
 */
export const bug = (message: string): never => {
  throw new Bug(message)
}
