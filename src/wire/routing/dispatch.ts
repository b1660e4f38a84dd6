import { Effect, Either } from "effect"
import type { DecodeError } from "../../protocol/codec/decode-error.ts"
import { DispatchFault } from "../fault.ts"
import { Later } from "../later.ts"
import { Disconnect, Encoded, NoResponse, RequestContext, type Route, Unreadable } from "../route.ts"
import { type RelayedClient, Session } from "../session.ts"
import { runSteps, type Steps } from "../sliced.ts"
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

type Answered = Either.Either<ReadonlyArray<Uint8Array>, DispatchFault>

/**
 * Answers one request that did not come on a connection of its own, in slices: what an Envelope carries. Gives the response frame without its length prefix, header first;
 * empty for a request that gets no response; or an Effect of that. An Envelope within an Envelope is refused. A handler that dies, dies here too.
 */
export function* dispatchInSlices(routes: ReadonlyArray<Route>, frame: Uint8Array, client: RelayedClient): Steps<Answered | Effect.Effect<Answered>> {
  const found = tableOf(routes).find(frame)
  if ("message" in found) return Either.left(new DispatchFault(found))
  if ("chunks" in found) return Either.right(withoutLength(found.chunks))
  const { route, header, bodyAt } = found
  const session = Session.relayed(client)
  if (route.access.audience === "brokers" || !route.admits(session)) {
    return Either.left(new DispatchFault({ kind: "unknownApi", message: `sent ${route.api.name} within an Envelope, which may not carry it` }))
  }
  const context = new RequestContext(header, session, frame)
  const malformed = (error: DecodeError): Answered =>
    Either.left(new DispatchFault({ kind: "malformed", message: malformedMessage(`${route.api.name} version ${context.version}`, error) }))
  const begun = route.start(context, bodyAt)
  if (Either.isLeft(begun)) return malformed(begun.left)
  const finish = (answer: unknown): Steps<unknown> => route.finish(context, answer)
  const settle = (made: unknown): Answered | Effect.Effect<Answered> => {
    if (made instanceof Encoded) return Either.right(withoutLength(made.chunks))
    if (made instanceof NoResponse) return Either.right([])
    if (made instanceof Disconnect) return Either.left(new DispatchFault({ kind: "disconnected", message: made.reason }))
    if (made instanceof Unreadable) return malformed(made.error)
    const waiting: Effect.Effect<unknown> = made instanceof Later ? made.effect : (made as Effect.Effect<unknown>)
    return Effect.flatMap(waiting, (answer) =>
      Effect.flatMap(runSteps(finish(answer)), (last) => {
        const settled = settle(last)
        return Effect.isEffect(settled) && !Either.isEither(settled) ? settled : Effect.succeed(settled as Answered)
      })
    )
  }
  return settle(yield* finish(begun.right.answer))
}

/** As dispatchInSlices, all of it as an Effect. */
export const dispatch = (...request: Parameters<typeof dispatchInSlices>): Effect.Effect<ReadonlyArray<Uint8Array>, DispatchFault> =>
  Effect.suspend(() => Effect.flatMap(runSteps(dispatchInSlices(...request)), (answered) => (Either.isEither(answered) ? answered : Effect.flatten(answered))))

/** Removes the length prefix: the first four bytes of the first chunk. */
const withoutLength = ([first, ...rest]: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> => (first === undefined ? [] : [first.subarray(4), ...rest])
