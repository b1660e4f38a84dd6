import { Effect } from "effect"
import { type KafkaError, kafkaError } from "../../../domain/kernel/error-code.ts"
import type { Address } from "../../ports/transport.ts"
import { FindCoordinator } from "../../protocol/message/10-find-coordinator.ts"
import type { AnyApi, RequestDraft, ResponseOf } from "../../protocol/type/wire.ts"
import { type Client, expectNone } from "../cluster/client.ts"
import type { CallOptions } from "../connection/pool.ts"
import { type CallError, KafkaFailure, type RequestTimedOut } from "../error.ts"

const groupKey = 0

/** The node that coordinates a group, asked for once and kept until it turns out to be another. */
export interface Coordinator {
  readonly group: string
  readonly find: Effect.Effect<Address, CallError>
  readonly forget: () => void
  /** One call to the coordinator. NotReachable and RequestTimedOut make it be asked for anew. */
  readonly call: <A extends AnyApi>(api: A, request: RequestDraft<A>, options?: CallOptions) => Effect.Effect<ResponseOf<A>, CallError>
  /** Repeats `step` over connection failures and changes of coordinator. `step` gives its answer's error as a KafkaFailure. */
  readonly persistently: <A, E extends { readonly _tag: string }, R>(step: Effect.Effect<A, E, R>) => Effect.Effect<A, E | RequestTimedOut, R>
}

/** Whether the error says that the group is coordinated elsewhere, or not yet anywhere. */
export const isElsewhere = (error: KafkaError): boolean =>
  error === "NOT_COORDINATOR" || error === "COORDINATOR_NOT_AVAILABLE" || error === "COORDINATOR_LOAD_IN_PROGRESS"

export const makeCoordinator = (client: Client, group: string): Coordinator => {
  let known: Address | undefined

  const ask = Effect.gen(function* () {
    const answer = yield* client.callAny(FindCoordinator, { key: group, keyType: groupKey, coordinatorKeys: [] }, { versionMax: lastWithOneKey })
    yield* expectNone(kafkaError(answer.errorCode), `The coordinator of the group '${group}'`, answer.errorMessage)
    known = { host: answer.host, port: answer.port }
    return known
  })
  const find = Effect.suspend(() => (known === undefined ? client.persistently(ask) : Effect.succeed(known)))
  const forget = () => {
    known = undefined
  }
  const call: Coordinator["call"] = (api, request, options) =>
    Effect.flatMap(find, (address) =>
      Effect.tapError(client.pool.call(address, api, request, options), ({ _tag }) =>
        _tag === "NotReachable" || _tag === "RequestTimedOut" ? Effect.sync(forget) : Effect.void
      )
    )
  const persistently = <A, E extends { readonly _tag: string }, R>(step: Effect.Effect<A, E, R>): Effect.Effect<A, E | RequestTimedOut, R> =>
    client.persistently(
      Effect.tapError(step, (error: { readonly _tag: string }) =>
        Effect.sync(() => {
          if (error instanceof KafkaFailure && isElsewhere(error.error)) forget()
        })
      )
    )
  return { group, find, forget, call, persistently }
}

/** From the next version on the request names several groups; one is all that is needed here. */
const lastWithOneKey = 3
