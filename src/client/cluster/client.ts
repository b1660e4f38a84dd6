import { Effect, Either, type Scope } from "effect"
import type { KafkaError } from "../../../domain/kernel/error-code.ts"
import type { Address, Transport } from "../../ports/transport.ts"
import type { AnyApi, RequestDraft, ResponseOf } from "../../protocol/type/wire.ts"
import { type CallOptions, makePool, type Pool } from "../connection/pool.ts"
import { type CallError, type InvalidAddress, KafkaFailure, NotReachable, RequestTimedOut } from "../error.ts"
import { type MetadataCache, makeMetadata } from "../metadata/metadata.ts"
import { bootstrapNames, type Connecting, type ConnectionOptions, connecting } from "../options.ts"
import { type Dice, makeDice } from "../runtime/dice.ts"
import { isLeadership, type RetryKind, retryWithin } from "../runtime/retry.ts"

/** What producer, consumer and admin stand on: connections, what is known of the cluster, and calls that go to the right node. */
export interface Client {
  readonly options: Connecting
  readonly pool: Pool
  readonly metadata: MetadataCache
  readonly dice: Dice
  /** One call to a node by its id; NotReachable where the cluster names no such node. */
  readonly callNode: <A extends AnyApi>(id: number, api: A, request: RequestDraft<A>, options?: CallOptions) => Effect.Effect<ResponseOf<A>, CallError>
  /** One call to the node that leads the cluster. */
  readonly callController: <A extends AnyApi>(api: A, request: RequestDraft<A>, options?: CallOptions) => Effect.Effect<ResponseOf<A>, CallError>
  /** One call to whichever known node answers. */
  readonly callAny: <A extends AnyApi>(api: A, request: RequestDraft<A>, options?: CallOptions) => Effect.Effect<ResponseOf<A>, CallError>
  /** Repeats an effect over connection failures and changes of leadership, learning who leads in between, for `callTimeoutMs` with the last attempt. */
  readonly persistently: <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | RequestTimedOut, R>
}

/** Whether and how an error of a call is met with another attempt. */
export const retryKind = (error: { readonly _tag: string }): RetryKind | undefined => {
  switch (error._tag) {
    case "NotReachable":
    case "RequestTimedOut":
      return "connection"
    case "KafkaFailure": {
      const { error: name, retriable } = error as KafkaFailure
      return isLeadership(name) ? "leadership" : retriable ? "load" : undefined
    }
    default:
      return undefined
  }
}

/** Ends the attempts after `timeoutMs` with the error of the last one that ended by itself, or with `silent` where none did. */
const bounded = <A, E, R, S>(
  timeoutMs: number,
  silent: () => S,
  attempt: Effect.Effect<A, E, R>,
  repeated: (attempt: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | S, R> =>
  Effect.suspend(() => {
    let last: E | undefined
    const noted = Effect.tapError(attempt, (error) =>
      Effect.sync(() => {
        last = error
      })
    )
    return Effect.timeoutFail(repeated(noted), { duration: timeoutMs, onTimeout: (): E | S => last ?? silent() })
  })

/** The answer's error as a failure that `persistently` understands; NONE passes. */
export const expectNone = (error: KafkaError, what: string, detail: string | null = null): Effect.Effect<void, KafkaFailure> =>
  error === "NONE" ? Effect.void : Effect.fail(new KafkaFailure({ error, what, detail }))

/**
 * Makes a client and learns the cluster's nodes: fails with NotReachable when nobody answers within `retryTimeoutMs`. Its connections close with the scope.
 */
export const makeClient = (options: ConnectionOptions): Effect.Effect<Client, CallError | InvalidAddress, Transport | Scope.Scope> =>
  Effect.gen(function* () {
    const settings = yield* Either.match(connecting(options), { onLeft: Effect.fail, onRight: Effect.succeed })
    const dice = yield* makeDice
    const pool = yield* makePool(settings, dice)
    const metadata = yield* makeMetadata(settings, pool, dice)

    const nowhere = (reason: string) => Effect.fail(new NotReachable({ addresses: bootstrapNames(settings), reason }))
    const addressOf = (id: number): Address | undefined => metadata.view().nodes.get(id)?.address

    const callNode: Client["callNode"] = (id, api, request, how) => {
      const address = addressOf(id)
      return address === undefined ? nowhere(`the cluster names no node ${id} at present`) : pool.call(address, api, request, how)
    }
    const callController: Client["callController"] = (api, request, how) => Effect.suspend(() => callNode(metadata.view().controllerId, api, request, how))
    const callAny: Client["callAny"] = (api, request, how) =>
      Effect.suspend(() => {
        const ids = [...metadata.view().nodes.keys()]
        const first = dice.below(Math.max(1, ids.length))
        const ordered = [...ids.slice(first), ...ids.slice(0, first)]
        const calls = ordered.map((id) => callNode(id, api, request, how))
        return calls.length === 0 ? nowhere("the cluster named no node") : Effect.firstSuccessOf(calls)
      })

    const timedOut = () => {
      const asked = `the cluster at ${bootstrapNames(settings).join(", ")}`
      return new RequestTimedOut({ what: `The call to ${asked}`, timeoutMs: settings.callTimeoutMs, reason: "no node answered." })
    }
    const persistently = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | RequestTimedOut, R> =>
      bounded(settings.callTimeoutMs, timedOut, effect, (attempt) =>
        Effect.tapError(attempt, (error) => (retryKind(error) === undefined ? Effect.void : Effect.ignore(metadata.refresh([])))).pipe(
          retryWithin<E>(settings.retryTimeoutMs, retryKind)
        )
      )

    const mute = () => new NotReachable({ addresses: bootstrapNames(settings), reason: `no answer within ${settings.callTimeoutMs} ms` })
    yield* Effect.asVoid(bounded(settings.callTimeoutMs, mute, metadata.refresh([]), retryWithin<CallError>(settings.retryTimeoutMs, retryKind)))
    return { options: settings, pool, metadata, dice, callNode, callController, callAny, persistently }
  })
