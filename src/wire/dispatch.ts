import { Effect, Either } from "effect"
import { Envelope } from "../protocol/message/58-envelope.ts"
import { DispatchFault } from "./fault.ts"
import { Later } from "./later.ts"
import { Disconnect, NoResponse, type RequestContext, type Route } from "./route.ts"
import { malformedMessage, RouteTable } from "./route-table.ts"

/** Tables by the list that they were made from: an Envelope comes for each relayed request. */
const tables = new WeakMap<ReadonlyArray<Route>, RouteTable>()
const tableOf = (routes: ReadonlyArray<Route>): RouteTable => {
  const known = tables.get(routes)
  if (known !== undefined) return known
  const made = new RouteTable(routes)
  tables.set(routes, made)
  return made
}

/**
 * Answers one request that did not come on a connection of its own: what an Envelope carries, or a test. Gives the response frame without its length prefix, header first;
 * empty for a request that gets no answer. An Envelope within an Envelope is refused. A handler that dies, dies here too.
 */
export const dispatch = (
  routes: ReadonlyArray<Route>,
  frame: Uint8Array,
  origin: Pick<RequestContext, "clientHost" | "connectionId" | "actor">
): Effect.Effect<ReadonlyArray<Uint8Array>, DispatchFault> =>
  Effect.suspend(() => {
    const found = tableOf(routes).find(frame)
    if ("message" in found) return Effect.fail(new DispatchFault(found))
    if ("chunks" in found) return Effect.succeed(withoutLength(found.chunks))
    const { route, header, bodyAt } = found
    if (route.api.key === Envelope.key) return Effect.fail(new DispatchFault({ kind: "unknownApi", message: "sent an Envelope within an Envelope" }))
    const context: RequestContext = { ...origin, header, version: header.apiVersion, frame }
    const begun = route.start(context, bodyAt)
    if (Either.isLeft(begun)) {
      return Effect.fail(new DispatchFault({ kind: "malformed", message: malformedMessage(`${route.api.name} version ${context.version}`, begun.left) }))
    }
    const finish = (answer: unknown): Effect.Effect<ReadonlyArray<Uint8Array>, DispatchFault> => {
      if (answer instanceof NoResponse) return Effect.succeed([])
      if (answer instanceof Disconnect) return Effect.fail(new DispatchFault({ kind: "disconnected", message: answer.reason }))
      return Effect.sync(() => withoutLength(route.encode(context.version, header.correlationId, answer)))
    }
    const { answer } = begun.right
    if (answer instanceof Later) return Effect.flatMap(answer.effect, finish)
    return Effect.isEffect(answer) ? Effect.flatMap(answer as Effect.Effect<unknown>, finish) : finish(answer)
  })

/** The length stands in the first four bytes of the first chunk. */
const withoutLength = ([first, ...rest]: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> => (first === undefined ? [] : [first.subarray(4), ...rest])
