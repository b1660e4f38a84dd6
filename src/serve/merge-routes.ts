import type { Route } from "../wire/route.ts"

/** The routes of a node that has two roles: where both answer an API, the first does. */
export const mergeRoutes = (first: ReadonlyArray<Route>, second: ReadonlyArray<Route>): ReadonlyArray<Route> => {
  const keys = new Set(first.map(({ api }) => api.key))
  return [...first, ...second.filter(({ api }) => !keys.has(api.key))]
}
