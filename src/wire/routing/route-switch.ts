import type { Route } from "../route.ts"

/** Told of each change: the new routes, and whether connections close. */
type Listener = (routes: ReadonlyArray<Route>, closes: boolean) => void

/** Routes of a listener that change while it is open, as the role of its node does. */
export class RouteSwitch {
  private readonly listeners = new Set<Listener>()

  constructor(private routes: ReadonlyArray<Route>) {}

  get current(): ReadonlyArray<Route> {
    return this.routes
  }

  /**
   * Serves other routes from now on, also on open connections. With `closes` all connections are closed first: requests
   * that wait were asked of the former role.
   */
  become(routes: ReadonlyArray<Route>, closes: boolean): void {
    this.routes = routes
    for (const listener of this.listeners) listener(routes, closes)
  }

  /** Calls `listener` after each change. */
  onChange(listener: Listener): void {
    this.listeners.add(listener)
  }
}
