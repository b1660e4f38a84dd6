/**
 * Throws for a statement about the client's own state that does not hold, which is a bug of the library. The supervisor
 * of the part reports it, fails what waits for the part, and starts the part again. Callers test the condition
 * themselves: a call costs nothing while it holds.
 */
export const broken = (statement: string): never => {
  throw new Error(`Broken invariant: ${statement}`)
}
