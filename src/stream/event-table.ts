import type { Tagged } from "./aggregate.ts"

/** A reaction to every event of a union. The compiler names the tables that a new event is missing from. */
export type EventTable<Event extends Tagged, A> = {
  readonly [Tag in Event["_tag"]]: (event: Extract<Event, { readonly _tag: Tag }>) => A
}

/** Returns what the table says of an event. */
export const lookUp = <Event extends Tagged, A>(table: EventTable<Event, A>, event: Event): A =>
  (table[event._tag as Event["_tag"]] as (event: Event) => A)(event)
