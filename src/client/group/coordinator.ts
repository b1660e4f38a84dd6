import { Effect } from "effect"
import { type KafkaError, kafkaError } from "../../../domain/kernel/error-code.ts"
import type { Address } from "../../ports/transport.ts"
import { FindCoordinator } from "../../protocol/message/10-find-coordinator.ts"
import type { AnyApi, RequestDraft, ResponseOf } from "../../protocol/type/wire.ts"
import { type Client, expectNone } from "../cluster/client.ts"
import type { CallOptions } from "../connection/pool.ts"
import { type CallError, KafkaFailure, type RequestTimedOut } from "../error.ts"

/** The key type of groups in FindCoordinator. */
const groupKey = 0
/** Later versions request the coordinators of several groups. */
const lastWithOneKey = 3

/** The coordinator of a group: requested once, and kept until another node coordinates the group. */
export interface Coordinator {
  readonly group: string
  readonly find: Effect.Effect<Address, CallError>
  readonly forget: () => void
  /**
   * One call to the coordinator. After NotReachable and RequestTimedOut the next call requests the coordinator again.
   */
  readonly call: <A extends AnyApi>(api: A, request: RequestDraft<A>, options?: CallOptions) => Effect.Effect<ResponseOf<A>, CallError>
  /**
   * Retries `step` while nodes are unreachable and coordinators change. `step` fails with the error of its response as
   * a KafkaFailure.
   */
  readonly persistently: <A, E extends { readonly _tag: string }, R>(step: Effect.Effect<A, E, R>) => Effect.Effect<A, E | RequestTimedOut, R>
}

/** Whether the error says that another node coordinates the group, or that no node does yet. */
export const isCoordinatorError = (error: KafkaError): boolean =>
  error === "NOT_COORDINATOR" || error === "COORDINATOR_NOT_AVAILABLE" || error === "COORDINATOR_LOAD_IN_PROGRESS"

export const makeCoordinator = (client: Client, group: string): Coordinator => {
  let known: Address | undefined

  const request = Effect.gen(function* () {
    const response = yield* client.callAny(FindCoordinator, { key: group, keyType: groupKey, coordinatorKeys: [] }, { versionMax: lastWithOneKey })
    yield* expectNone(kafkaError(response.errorCode), `The coordinator of the group '${group}'`, response.errorMessage)
    known = { host: response.host, port: response.port }
    return known
  })
  const find = Effect.suspend(() => (known === undefined ? client.persistently(request) : Effect.succeed(known)))
  const forget = () => {
    known = undefined
  }
  const call: Coordinator["call"] = (api, draft, options) =>
    Effect.flatMap(find, (address) =>
      Effect.tapError(client.pool.call(address, api, draft, options), ({ _tag }) =>
        _tag === "NotReachable" || _tag === "RequestTimedOut" ? Effect.sync(forget) : Effect.void
      )
    )
  const persistently = <A, E extends { readonly _tag: string }, R>(step: Effect.Effect<A, E, R>): Effect.Effect<A, E | RequestTimedOut, R> =>
    client.persistently(
      Effect.tapError(step, (error: { readonly _tag: string }) =>
        Effect.sync(() => {
          if (error instanceof KafkaFailure && isCoordinatorError(error.error)) forget()
        })
      )
    )
  return { group, find, forget, call, persistently }
}
