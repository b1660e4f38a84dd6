import type { Route } from "../route.ts"

/**
 * Two routes of one API: the first as soon as there is one, the other before. A request stays with the route that it
 * began on. The other's options hold for both: the first must allow what they allow.
 */
export const eitherRoute = (first: () => Route | undefined, other: Route): Route => ({
  ...other,
  mayAnswer: () => (first() ?? other).mayAnswer?.() ?? true,
  start: (context, bodyAt, elementsMax) => (first() ?? other).start(context, bodyAt, elementsMax)
})
